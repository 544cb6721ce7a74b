//! The bytes of a file, of which the zeros at the end take no memory.

use std::sync::{Arc, OnceLock};

use crate::fingerprint::Fingerprint;

/// Cheap to copy: copies share their bytes until one of them changes.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// What was ever written; behind it, up to `len`, there are zeros.
    data: Arc<Data>,
    len: u64,
}

#[derive(Debug, Clone, Default)]
struct Data {
    bytes: Vec<u8>,
    /// Of the bytes, once somebody asked: most files are the same from one state of a disk to the next.
    sum: OnceLock<u64>,
}

impl PartialEq for Content {
    /// Whether a reader sees the same bytes.
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && (Arc::ptr_eq(&self.data, &other.data) || self.trimmed() == other.trimmed())
    }
}

impl Content {
    /// A file that holds `bytes`.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self { data: Arc::new(Data { bytes: bytes.to_vec(), sum: OnceLock::new() }), len: bytes.len() as u64 }
    }

    /// The length of the file.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Up to where something was ever written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.data.bytes.len() as u64
    }

    /// All bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.data.bytes.clone();
        bytes.resize(index(self.len), 0);
        bytes
    }

    /// Of the length and all bytes.
    pub fn add_to(&self, fingerprint: &mut Fingerprint) {
        fingerprint.add(self.len);
        fingerprint.add(*self.data.sum.get_or_init(|| {
            let mut sum = Fingerprint::default();
            sum.add_bytes(trimmed(&self.data.bytes));
            sum.value()
        }));
    }

    /// Without the zeros at the end, which may or may not take memory.
    #[must_use]
    pub fn trimmed(&self) -> &[u8] {
        trimmed(&self.data.bytes)
    }

    /// Reads as pread(2) does.
    pub fn read(&self, buf: &mut [u8], offset: u64) -> usize {
        let count = buf.len().min(index(self.len.saturating_sub(offset)));
        let target = &mut buf[..count];
        let stored = self.data.bytes.get(index(offset)..).unwrap_or_default();
        let copied = stored.len().min(count);
        target[..copied].copy_from_slice(&stored[..copied]);
        target[copied..].fill(0);
        count
    }

    /// Writes as pwrite(2) does.
    pub fn write(&mut self, bytes: &[u8], offset: u64) {
        let (start, end) = (index(offset), index(offset) + bytes.len());
        let data = self.changed();
        if data.len() < end {
            data.resize(end, 0);
        }
        data[start..end].copy_from_slice(bytes);
        self.len = self.len.max(end as u64);
    }

    /// Cuts or extends as ftruncate(2) does.
    pub fn set_len(&mut self, len: u64) {
        if index(len) < self.data.bytes.len() {
            self.changed().truncate(index(len));
        }
        self.len = len;
    }

    /// The bytes, to be changed.
    fn changed(&mut self) -> &mut Vec<u8> {
        let data = Arc::make_mut(&mut self.data);
        data.sum.take();
        &mut data.bytes
    }
}

/// Without the zeros at the end, which may or may not take memory.
fn trimmed(bytes: &[u8]) -> &[u8] {
    const BLOCK: usize = 64;
    let mut end = bytes.len();
    while end >= BLOCK && bytes[end - BLOCK..end] == [0; BLOCK] {
        end -= BLOCK;
    }
    let end = bytes[..end].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

/// Simulated files are small.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_a_file_does() {
        let mut content = Content::default();
        content.set_len(10);
        content.write(b"abc", 4);
        assert_eq!(content.to_bytes(), b"\0\0\0\0abc\0\0\0");
        let mut buf = [9; 8];
        assert_eq!(content.read(&mut buf, 5), 5);
        assert_eq!(&buf[..5], b"bc\0\0\0");
        assert_eq!((content.read(&mut buf, 10), content.read(&mut buf, 99)), (0, 0));
        content.set_len(5);
        content.set_len(8);
        assert_eq!(content.to_bytes(), b"\0\0\0\0a\0\0\0");
        let copy = content.clone();
        content.write(b"z", 20);
        assert_eq!((copy.len(), content.len()), (8, 21));
    }
}
