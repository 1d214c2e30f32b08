//! Screens without colours and without UTF-8.
//!
//! In: drawn cells. Out: the same cells in what the terminal has.

use ratatui::buffer::Buffer;
use ratatui::style::Color;

use super::super::state::Look;

/// Replaces what the terminal does not have.
pub(super) fn simplify(buffer: &mut Buffer, look: Look) {
    for cell in &mut buffer.content {
        if !look.has_color {
            cell.set_fg(Color::Reset).set_bg(Color::Reset);
        }
        if look.is_ascii && !cell.symbol().is_ascii() {
            let character = cell.symbol().chars().next().unwrap_or(' ');
            cell.set_char(ascii(character));
        }
    }
}

/// Returns the character of ASCII that says nearly the same.
fn ascii(character: char) -> char {
    match character {
        '▁' | '░' => '.',
        '▂' => ':',
        '▃' | '▄' | '▒' => '-',
        '▅' => '=',
        '▆' | '▓' => '+',
        '▇' => '*',
        '█' => '#',
        '─' | '–' | '—' => '-',
        '│' => '|',
        'µ' | 'μ' => 'u',
        '≥' => '>',
        '…' => '~',
        '▸' => '>',
        '▾' => 'v',
        '·' => ' ',
        _ => '?',
    }
}
