//! The parts that all drawings share.
//!
//! In: texts and numbers. Out: styles, cells in a row, and bars. This file knows no state.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// The style of a title.
pub(super) const TITLE: Style = Style::new().add_modifier(Modifier::BOLD);
/// The style of a heading above columns.
pub(super) const HEADING: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
/// The style of the selected row.
pub(super) const SELECTED: Style = Style::new().add_modifier(Modifier::REVERSED);
/// The style of what is old or absent.
pub(super) const DIM: Style = Style::new().fg(Color::DarkGray);
/// The style of what is drawn, and of a good state.
pub(super) const TREND: Style = Style::new().fg(Color::Green);
/// The style of what somebody should notice.
pub(super) const NOTABLE: Style = Style::new().fg(Color::Yellow);
/// The style of what is wrong.
pub(super) const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

/// Writes a line at a row of an area.
pub(super) fn line(buffer: &mut Buffer, area: Rect, row: u16, line: Line<'_>) {
    if row < area.height {
        buffer.set_line(area.x, area.y + row, &line, area.width);
    }
}

/// Writes a text that ends at the right edge of an area.
pub(super) fn right(buffer: &mut Buffer, area: Rect, row: u16, text: Span<'_>) {
    let width = u16::try_from(text.width()).unwrap_or(u16::MAX);
    let x = area.right().saturating_sub(width).max(area.x);
    if row < area.height {
        buffer.set_span(x, area.y + row, &text, area.width);
    }
}

/// Returns levels as a line of bars, the highest of which is full. An absent value is a
/// blank, and a value above 0 has at least the lowest bar.
pub(super) fn bars(values: &[Option<f64>]) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let highest = values.iter().flatten().copied().fold(0.0, f64::max);
    let bar = |value: &Option<f64>| match value {
        None => ' ',
        Some(value) if *value <= 0.0 || highest <= 0.0 => LEVELS[0],
        Some(value) => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from 1 to 7"
            )]
            let level = (value / highest * 7.0).round().clamp(1.0, 7.0) as usize;
            LEVELS.get(level).copied().unwrap_or('█')
        }
    };
    values.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::bars;

    #[test]
    fn absent_values_are_blank_and_zeros_are_low() {
        let values = [None, Some(0.0), Some(0.001), Some(50.0), Some(100.0)];
        assert_eq!(bars(&values), " ▁▂▅█");
        assert_eq!(bars(&[Some(0.0), None]), "▁ ");
    }
}
