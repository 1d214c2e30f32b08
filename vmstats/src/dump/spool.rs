//! Many texts that grow in turn, kept in one file.
//!
//! In: pieces of texts. Out: each text as a whole. The memory has the end of each text
//! only.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

/// The length of a text's end that is kept in memory.
const BUFFER_BYTES_MAX: usize = 4 << 10;

/// Texts in a temporary file, which has no name and goes with the program.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    length: u64,
    chains: Vec<Chain>,
}

/// One text.
#[derive(Debug, Default)]
struct Chain {
    /// The places of the written pieces in the file, with their lengths.
    pieces: Vec<(u64, usize)>,
    buffer: Vec<u8>,
}

impl Spool {
    pub(super) fn new() -> io::Result<Self> {
        let file = tempfile::tempfile()
            .map_err(|error| io::Error::other(format!("cannot make a temporary file: {error}")))?;
        Ok(Self {
            file,
            length: 0,
            chains: Vec::new(),
        })
    }

    /// Begins a text, and returns its number.
    pub(super) fn chain(&mut self) -> usize {
        self.chains.push(Chain::default());
        self.chains.len() - 1
    }

    /// Appends a piece to a text.
    ///
    /// # Errors
    ///
    /// Returns an error if the temporary file cannot be written.
    pub(super) fn append(&mut self, chain: usize, piece: &[u8]) -> io::Result<()> {
        let Some(chain) = self.chains.get_mut(chain) else {
            return Ok(());
        };
        chain.buffer.extend_from_slice(piece);
        if chain.buffer.len() >= BUFFER_BYTES_MAX {
            let written = self.file.write_all_at(&chain.buffer, self.length);
            written.map_err(|error| {
                io::Error::other(format!("cannot write a temporary file: {error}"))
            })?;
            chain.pieces.push((self.length, chain.buffer.len()));
            self.length += chain.buffer.len() as u64;
            chain.buffer.clear();
        }
        Ok(())
    }

    /// Writes a text.
    ///
    /// # Errors
    ///
    /// Returns the error of reading or of writing.
    pub(super) fn copy(&self, chain: usize, out: &mut dyn Write) -> io::Result<()> {
        let Some(chain) = self.chains.get(chain) else {
            return Ok(());
        };
        let mut piece = Vec::new();
        for (place, length) in &chain.pieces {
            piece.resize(*length, 0);
            self.file.read_exact_at(&mut piece, *place)?;
            out.write_all(&piece)?;
        }
        out.write_all(&chain.buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::{BUFFER_BYTES_MAX, Spool};

    #[test]
    fn texts_are_whole_when_their_pieces_came_in_turn() {
        let mut spool = Spool::new().unwrap();
        let chains = [spool.chain(), spool.chain()];
        let mut expected = [Vec::new(), Vec::new()];
        for number in 0..3_000 {
            let index = number % 2;
            let piece = format!("{number}\n").repeat(1 + number % 5);
            spool.append(chains[index], piece.as_bytes()).unwrap();
            expected[index].extend_from_slice(piece.as_bytes());
        }
        assert!(expected[0].len() > 2 * BUFFER_BYTES_MAX);
        for (chain, expected) in chains.into_iter().zip(expected) {
            let mut found = Vec::new();
            spool.copy(chain, &mut found).unwrap();
            assert_eq!(found, expected);
        }
    }
}
