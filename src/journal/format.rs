//! The bytes of a segment. All integers are little-endian; everything starts at a multiple of 8.
//!
//! ```text
//! segment header, 64 bytes                 frame header, 40 bytes, then the body, then zeros up to a multiple of 8
//!  0  magic "ORDERDWL"        8              0  kind: "oPLN", "oMRK" ...    4
//!  8  format version          2              4  body length, unpadded       4
//! 10  features                2              8  LSN                         8
//! 12  epoch, not zero         4             16  durable LSN when written    8
//! 16  store id               16             24  epoch of the segment        4
//! 32  base LSN                8             28  header CRC of frame before  4
//! 40  zero                   16             32  CRC of the body             4
//! 56  header CRC of base - 1  4             36  CRC of bytes 0 to 35        4
//! 60  CRC of bytes 0 to 59    4
//! ```
//!
//! CRC is CRC-32C (RFC 3720, appendix B.4). The header has a checksum of its own, so a length is trusted only after
//! it was checked. Epoch and the checksum of the frame before tie a frame to its place: stale, repeated, swapped and
//! misdirected bytes do not pass. Marks, seals and links have no body and no LSN of their own: they carry the last plan's,
//! and are no part of the chain.
//!
//! A kind of frame that is intact and unknown was written by a newer version, as a header's version or feature bit.

use super::StoreId;
use super::file_header::{self, HeaderError, array, u32_at, u64_at};
use crate::contracts::Lsn;

/// Bytes of a segment's header.
pub const SEGMENT_HEADER_LEN: usize = 64;
/// Bytes of a frame's header.
pub const FRAME_HEADER_LEN: usize = 40;
/// No body is longer: a length beyond it is damage, and no plan comes near it.
pub const FRAME_BODY_BYTES_MAX: usize = 1 << 20;
/// Frames start at multiples of it.
pub const ALIGNMENT: usize = 8;

const SEGMENT_MAGIC: [u8; 8] = *b"ORDERDWL";
const PLAN_MAGIC: u32 = u32::from_le_bytes(*b"oPLN");
const MARK_MAGIC: u32 = u32::from_le_bytes(*b"oMRK");
const SEAL_MAGIC: u32 = u32::from_le_bytes(*b"oEND");
const LINK_MAGIC: u32 = u32::from_le_bytes(*b"oNXT");
const KIND_PREFIX: u8 = b'o';

const _: () = assert!(SEGMENT_HEADER_LEN.is_multiple_of(ALIGNMENT) && FRAME_HEADER_LEN.is_multiple_of(ALIGNMENT));

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    pub epoch: u32,
    pub store_id: StoreId,
    /// The LSN of its first frame.
    pub base_lsn: Lsn,
    /// The header CRC of the frame before the first: the chain runs on across segments.
    pub chain: u32,
}

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    Plan,
    /// Nothing was to be stored for a while: it proves that the plans before it are durable.
    Mark,
    /// Nothing follows: the daemon was stopped.
    Seal,
    /// Another segment follows, and was durable before this was written.
    Link,
}

impl FrameKind {
    const fn magic(self) -> u32 {
        match self {
            Self::Plan => PLAN_MAGIC,
            Self::Mark => MARK_MAGIC,
            Self::Seal => SEAL_MAGIC,
            Self::Link => LINK_MAGIC,
        }
    }
}

/// What a frame says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    pub kind: FrameKind,
    pub body_len: usize,
    pub lsn: Lsn,
    /// What was known to be durable when the frame was written: it proves that frames up to there had been synced.
    pub durable_lsn: Lsn,
    pub epoch: u32,
    /// The header CRC of the frame before.
    pub chain: u32,
    pub body_crc: u32,
    /// The CRC of this header; the next frame's `chain`.
    pub header_crc: u32,
}

/// A kind of frame that only newer versions write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownKind([u8; 4]);

impl std::fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a frame of the kind {:?}", String::from_utf8_lossy(&self.0))
    }
}

/// `len` rounded up to a multiple of [`ALIGNMENT`].
pub const fn padded(len: usize) -> usize {
    len.next_multiple_of(ALIGNMENT)
}

impl SegmentHeader {
    pub fn encode(&self) -> Vec<u8> {
        let (epoch, base_lsn, chain) =
            (self.epoch.to_le_bytes(), self.base_lsn.0.to_le_bytes(), self.chain.to_le_bytes());
        file_header::encode(SEGMENT_MAGIC, &[&epoch, self.store_id.as_bytes(), &base_lsn, &[0; 16], &chain])
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        file_header::check(bytes, SEGMENT_MAGIC, SEGMENT_HEADER_LEN)?;
        let zeros = bytes.get(40..56) == Some(&[0; 16]);
        let decoded = (|| {
            Some(Self {
                epoch: u32_at(bytes, 12)?,
                store_id: StoreId::from_bytes(array(bytes, 16)?),
                base_lsn: Lsn(u64_at(bytes, 32)?),
                chain: u32_at(bytes, 56)?,
            })
        })();
        decoded.filter(|header| zeros && header.epoch != 0 && header.base_lsn.0 != 0).ok_or(HeaderError::Damaged)
    }
}

impl FrameHeader {
    /// Appends a frame to `buffer` and gives its header, whose `header_crc` the next frame takes as its `chain`.
    pub fn append_plan(buffer: &mut Vec<u8>, lsn: Lsn, durable_lsn: Lsn, epoch: u32, chain: u32, body: &[u8]) -> Self {
        let body_crc = crc32c::crc32c(body);
        let header = Self::append_header(buffer, FrameKind::Plan, body.len(), lsn, durable_lsn, epoch, chain, body_crc);
        buffer.extend_from_slice(body);
        let zeros = padded(body.len()) - body.len();
        buffer.extend_from_slice([0; ALIGNMENT].get(..zeros).unwrap_or_default());
        header
    }

    /// Appends a mark, a seal or a link after the plan with `lsn`, which is durable.
    pub fn append_end(buffer: &mut Vec<u8>, kind: FrameKind, lsn: Lsn, epoch: u32, chain: u32) -> Self {
        Self::append_header(buffer, kind, 0, lsn, lsn, epoch, chain, crc32c::crc32c(&[]))
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of the header, in their order")]
    fn append_header(
        buffer: &mut Vec<u8>,
        kind: FrameKind,
        body_len: usize,
        lsn: Lsn,
        durable_lsn: Lsn,
        epoch: u32,
        chain: u32,
        body_crc: u32,
    ) -> Self {
        let mut bytes = [0; FRAME_HEADER_LEN];
        let len = u32::try_from(body_len).unwrap_or(u32::MAX);
        let fields: [&[u8]; 7] = [
            &kind.magic().to_le_bytes(),
            &len.to_le_bytes(),
            &lsn.0.to_le_bytes(),
            &durable_lsn.0.to_le_bytes(),
            &epoch.to_le_bytes(),
            &chain.to_le_bytes(),
            &body_crc.to_le_bytes(),
        ];
        let mut rest = &mut bytes[..];
        for field in fields {
            let (place, behind) = rest.split_at_mut(field.len());
            place.copy_from_slice(field);
            rest = behind;
        }
        let (checked, crc_place) = bytes.split_at_mut(FRAME_HEADER_LEN - 4);
        let header_crc = crc32c::crc32c(checked);
        crc_place.copy_from_slice(&header_crc.to_le_bytes());
        buffer.extend_from_slice(&bytes);
        Self { kind, body_len, lsn, durable_lsn, epoch, chain, body_crc, header_crc }
    }

    /// Reads a header; `None` if it is not whole, not one, or of a kind that is unknown.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match Self::read(bytes)? {
            (Ok(kind), header) => Some(Self { kind, ..header }),
            (Err(_), _) => None,
        }
    }

    /// The kind of the frame at the beginning of `bytes`, if its header is intact, in its place, and of no kind that is
    /// known.
    pub fn unknown_kind(bytes: &[u8], epoch: u32, chain: u32) -> Option<UnknownKind> {
        match Self::read(bytes)? {
            (Err(kind), header) if header.epoch == epoch && header.chain == chain => Some(kind),
            (Ok(_) | Err(_), _) => None,
        }
    }

    fn read(bytes: &[u8]) -> Option<(Result<FrameKind, UnknownKind>, Self)> {
        // Every kind begins so, and it is cheap to see: recovery tries this at every eighth byte of a damaged tail.
        if bytes.first() != Some(&KIND_PREFIX) {
            return None;
        }
        let header_crc = u32_at(bytes, 36)?;
        if crc32c::crc32c(bytes.get(..36)?) != header_crc {
            return None;
        }
        let kind = match u32_at(bytes, 0)? {
            PLAN_MAGIC => Ok(FrameKind::Plan),
            MARK_MAGIC => Ok(FrameKind::Mark),
            SEAL_MAGIC => Ok(FrameKind::Seal),
            LINK_MAGIC => Ok(FrameKind::Link),
            unknown => Err(UnknownKind(unknown.to_le_bytes())),
        };
        let body_len = usize::try_from(u32_at(bytes, 4)?).ok()?;
        let shape_is_right = match kind {
            Ok(FrameKind::Plan) => (1..=FRAME_BODY_BYTES_MAX).contains(&body_len),
            Ok(FrameKind::Mark | FrameKind::Seal | FrameKind::Link) => body_len == 0,
            Err(_) => true,
        };
        let header = Self {
            kind: FrameKind::Plan,
            body_len,
            lsn: Lsn(u64_at(bytes, 8)?),
            durable_lsn: Lsn(u64_at(bytes, 16)?),
            epoch: u32_at(bytes, 24)?,
            chain: u32_at(bytes, 28)?,
            body_crc: u32_at(bytes, 32)?,
            header_crc,
        };
        shape_is_right.then_some((kind, header))
    }

    /// Bytes of the whole frame.
    pub const fn frame_len(&self) -> usize {
        FRAME_HEADER_LEN + padded(self.body_len)
    }

    /// The body behind this header in `frame`, if its bytes and its padding are what was written.
    pub fn checked_body<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let padded_body = frame.get(FRAME_HEADER_LEN..self.frame_len())?;
        let (body, padding) = padded_body.split_at_checked(self.body_len)?;
        (crc32c::crc32c(body) == self.body_crc && padding.iter().all(|byte| *byte == 0)).then_some(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> SegmentHeader {
        SegmentHeader { epoch: 77, store_id: StoreId::from_bytes([9; 16]), base_lsn: Lsn(5), chain: 3 }
    }

    #[test]
    fn headers_and_frames_read_back_as_written() {
        let bytes = segment().encode();
        assert_eq!(bytes.len(), SEGMENT_HEADER_LEN);
        assert_eq!(SegmentHeader::decode(&bytes), Ok(segment()));
        for len in 1..40 {
            let body: Vec<u8> = (0..len).collect();
            let mut buffer = Vec::new();
            let written = FrameHeader::append_plan(&mut buffer, Lsn(5), Lsn(4), 77, 3, &body);
            let read = FrameHeader::decode(&buffer).unwrap();
            assert_eq!((read, buffer.len()), (written, written.frame_len()));
            assert_eq!(read.checked_body(&buffer), Some(&body[..]));
        }
        let mut buffer = Vec::new();
        for kind in [FrameKind::Mark, FrameKind::Seal, FrameKind::Link] {
            buffer.clear();
            let end = FrameHeader::append_end(&mut buffer, kind, Lsn(5), 77, 3);
            assert_eq!((FrameHeader::decode(&buffer), end.kind), (Some(end), kind));
            assert_eq!(end.checked_body(&buffer), Some(&[][..]));
        }
    }

    #[test]
    fn no_single_bit_can_change_unnoticed() {
        let bytes = segment().encode();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&damaged).is_err(), "bit {bit}");
        }
        let mut frame = Vec::new();
        FrameHeader::append_plan(&mut frame, Lsn(5), Lsn(4), 77, 3, b"thirteen bytes".get(..13).unwrap());
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let body = FrameHeader::decode(&damaged).and_then(|header| header.checked_body(&damaged));
            assert_eq!(body, None, "bit {bit}");
        }
    }

    #[test]
    fn zeros_and_ones_are_no_frames() {
        for byte in [0x00, 0xff] {
            assert_eq!(FrameHeader::decode(&[byte; 64]), None);
            assert!(SegmentHeader::decode(&[byte; 64]).is_err());
        }
        assert_eq!(FrameHeader::decode(&[]), None);
    }

    #[test]
    fn lengths_beyond_the_limit_are_refused_even_with_a_right_checksum() {
        for len in [0, FRAME_BODY_BYTES_MAX + 1, 1 << 31, u32::MAX as usize] {
            let mut bytes = Vec::new();
            FrameHeader::append_header(&mut bytes, FrameKind::Plan, len, Lsn(1), Lsn(0), 1, 0, 0);
            assert_eq!(FrameHeader::decode(&bytes), None, "{len}");
        }
    }

    #[test]
    fn a_segment_header_that_nobody_writes_is_refused_even_with_a_right_checksum() {
        for (first, last, bytes) in [(40, 55, 1), (12, 15, 0), (32, 39, 0)] {
            let mut header = segment().encode();
            header[first..=last].fill(0);
            header[last] = bytes;
            let crc = crc32c::crc32c(&header[..60]);
            header[60..].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(SegmentHeader::decode(&header), Err(HeaderError::Damaged), "bytes {first} to {last}");
        }
    }

    #[test]
    fn a_later_format_is_told_from_damage() {
        let mut bytes = segment().encode();
        bytes[8] = 3;
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderError::Damaged));
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderError::Version(3)));
        (bytes[8], bytes[10]) = (2, 1);
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderError::Features(1)));
    }
}
