//! Bytes that come in pieces: one piece is never copied, several are joined.

use bytes::{Bytes, BytesMut};

/// What came so far.
#[derive(Debug, Default)]
pub(super) struct Gather {
    first: Bytes,
    /// Holds the first too, once there is a second.
    joined: BytesMut,
}

impl Gather {
    pub fn add(&mut self, bytes: Bytes) {
        if self.len() == 0 {
            self.first = bytes;
            return;
        }
        if self.joined.is_empty() {
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&bytes);
    }

    pub fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    pub fn take(&mut self) -> Bytes {
        if self.joined.is_empty() {
            std::mem::take(&mut self.first)
        } else {
            std::mem::take(&mut self.joined).freeze()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_piece_is_never_copied() {
        let piece = Bytes::from(vec![7; 100]);
        let mut gather = Gather::default();
        gather.add(piece.clone());
        assert_eq!((gather.len(), gather.take().as_ptr()), (100, piece.as_ptr()));
        assert_eq!(gather.len(), 0);
        for part in [&b"a"[..], b"b", b"", b"cd"] {
            gather.add(Bytes::copy_from_slice(part));
        }
        assert_eq!((gather.len(), gather.take()), (4, Bytes::from_static(b"abcd")));
        assert_eq!(gather.take(), Bytes::new());
    }
}
