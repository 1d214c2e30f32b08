//! A minimal server of the same replies, with which ours is compared.
//!
//! In: requests, whose content it ignores. Out: the reply to one kind of
//! request, with one `pread` for each object. It has one thread, one client and
//! no error handling.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use stats_runtime::kvm::{Image, record};

use crate::tools::Failure;

/// The content of the server's replies.
pub(super) enum Content {
    /// A constant text.
    Fixed(Vec<u8>),
    Live(Live),
}

impl Content {
    /// Replaces the content of `out` with a reply.
    pub(super) fn write(&mut self, out: &mut Vec<u8>) {
        out.clear();
        match self {
            Self::Fixed(text) => out.extend_from_slice(text),
            Self::Live(live) => live.write(out),
        }
    }
}

/// Statistics of objects of one kind.
pub(super) struct Live {
    /// The text before each object's values, and the object's statistics file.
    pub(super) objects: Vec<(String, OwnedFd)>,
    stats: Vec<Stat>,
    offset: u64,
    data: Vec<u8>,
}

struct Stat {
    before: Vec<u8>,
    first: usize,
    len: usize,
    is_flag: bool,
}

impl Live {
    /// Prepares replies with all statistics, or with those in `names`.
    pub(super) fn new(
        objects: Vec<(String, OwnedFd)>,
        names: Option<&[&str]>,
    ) -> Result<Self, Failure> {
        let (_, first) = objects.first().ok_or("there is no object")?;
        let bytes = record(first).map_err(|error| error.to_string())?;
        let image = Image::read(&bytes).map_err(|error| error.to_string())?;
        let data = image.layout().data();
        let columns = image.layout().columns();
        let stats = columns
            .iter()
            .filter(|column| names.is_none_or(|names| names.contains(&column.name())))
            .map(|column| Stat {
                before: format!("{{\"name\": \"{}\", \"value\": ", column.name()).into(),
                first: column.indexes().start,
                len: column.indexes().len(),
                is_flag: column.is_flag(),
            })
            .collect();
        let len = usize::try_from(data.end - data.start);
        Ok(Self {
            objects,
            stats,
            offset: data.start,
            data: vec![0; len.map_err(|error| error.to_string())?],
        })
    }

    fn write(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"return\": [");
        for (index, (head, fd)) in self.objects.iter().rev().enumerate() {
            if index > 0 {
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(head.as_bytes());
            let read = rustix::io::pread(fd, &mut *self.data, self.offset);
            debug_assert!(read.is_ok());
            for (index, stat) in self.stats.iter().enumerate() {
                if index > 0 {
                    out.extend_from_slice(b", ");
                }
                out.extend_from_slice(&stat.before);
                let bytes = self.data.get(stat.first * 8..(stat.first + stat.len) * 8);
                let (words, _) = bytes.unwrap_or_default().as_chunks::<8>();
                match words {
                    [word] if stat.is_flag => {
                        let text: &[u8] = if *word == [0; 8] { b"false" } else { b"true" };
                        out.extend_from_slice(text);
                    }
                    [word] => integer(*word, out),
                    words => {
                        out.push(b'[');
                        for (index, word) in words.iter().rev().enumerate() {
                            if index > 0 {
                                out.extend_from_slice(b", ");
                            }
                            integer(*word, out);
                        }
                        out.push(b']');
                    }
                }
                out.push(b'}');
            }
            out.extend_from_slice(b"]}");
        }
        out.extend_from_slice(b"]}\r\n");
    }
}

fn integer(word: [u8; 8], out: &mut Vec<u8>) {
    let value = u64::from_ne_bytes(word);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Serves one client.
pub(super) fn serve(listener: &UnixListener, mut content: Content) -> std::io::Result<()> {
    let (mut client, _) = listener.accept()?;
    let mut request = vec![0; 64 << 10];
    let mut reply = Vec::new();
    while client.read(&mut request)? > 0 {
        if let Content::Fixed(text) = &content {
            client.write_all(text)?;
        } else {
            content.write(&mut reply);
            client.write_all(&reply)?;
        }
    }
    Ok(())
}
