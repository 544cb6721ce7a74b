//! Reads durable frames forward, from a position, while the writer goes on.

use std::io;

use super::JournalHandle;
use super::format::{
    FRAME_BODY_BYTES_MAX, FRAME_HEADER_LEN, FrameHeader, FrameKind, SEGMENT_HEADER_LEN, SegmentHeader,
};
use super::segment_map::{FrameMark, MarkPace};
use crate::contracts::{FeedError, Lsn, StorageFile};

/// One reader; it costs a window of memory and an open file.
pub struct JournalReader {
    files: JournalHandle,
    next_lsn: Lsn,
    segment: Option<OpenSegment>,
}

struct OpenSegment {
    file: Box<dyn StorageFile>,
    path: String,
    header: SegmentHeader,
    /// Where the next frame starts in the file.
    offset: u64,
    /// The header CRC of the frame before it; unknown after a jump into the middle.
    chain: Option<u32>,
    window: Window,
    pace: MarkPace,
}

/// A part of the file in memory.
struct Window {
    /// Never shrinks, so that it is cleared only once.
    bytes: Vec<u8>,
    /// How many of them were read.
    filled: usize,
    /// Where the next frame starts in `bytes`.
    start: usize,
    /// How long the last frame was: what the next ones may take.
    frame_len: usize,
    /// How far the journal was durable when the bytes were read: frames up to there are whole in the file.
    durable_lsn: Lsn,
}

/// A frame, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct FrameRef<'a> {
    /// Its number.
    pub lsn: Lsn,
    /// What it holds.
    pub body: &'a [u8],
    /// The checksum of the body.
    pub body_crc: u32,
    /// The header checksum of the frame before it.
    pub chain_before: u32,
    /// The first LSN of its segment.
    pub segment: Lsn,
    /// Its byte offset in the segment.
    pub offset: u64,
}

/// Large enough that a backlog is read in few calls, small enough to have one per sink.
const WINDOW_BYTES_MAX: usize = 1 << 20;
/// Any usual frame fits.
const WINDOW_BYTES_MIN: usize = 8 << 10;
const FRAME_BYTES_MAX: usize = FRAME_HEADER_LEN + FRAME_BODY_BYTES_MAX;

impl JournalReader {
    /// A reader whose next frame is `next_lsn`.
    #[must_use]
    pub const fn new(files: JournalHandle, next_lsn: Lsn) -> Self {
        Self { files, next_lsn, segment: None }
    }

    /// Goes to a frame by its place. The place is a hint: a frame that is not there is looked for in its segment.
    ///
    /// # Errors
    /// The segment cannot be read.
    pub fn jump_to(&mut self, lsn: Lsn, segment: Lsn, offset: u64) -> Result<(), FeedError> {
        self.next_lsn = lsn;
        self.segment = None;
        if self.files.index.segment_holding(lsn) != Some(segment) {
            return Ok(());
        }
        let mut open = self.open_segment(segment)?;
        if offset >= open.file.len()? {
            return Ok(());
        }
        let mut bytes = [0; FRAME_HEADER_LEN];
        let read = open.file.read_at(&mut bytes, offset)?;
        let there = bytes.get(..read).and_then(FrameHeader::decode);
        if there.is_some_and(|header| header.lsn == lsn && header.epoch == open.header.epoch) {
            open.offset = offset;
            open.pace = MarkPace::from(FrameMark { lsn, offset });
            open.chain = None;
            self.segment = Some(open);
        }
        Ok(())
    }

    /// Goes to a frame wherever it is: from the nearest one before it whose place is known.
    ///
    /// # Errors
    /// The segment cannot be read.
    pub fn seek(&mut self, lsn: Lsn) -> Result<(), FeedError> {
        let index = &self.files.index;
        let mark = index.segment_holding(lsn).and_then(|base_lsn| Some((base_lsn, index.mark_before(base_lsn, lsn)?)));
        match mark {
            Some((base_lsn, mark)) => self.jump_to(mark.lsn, base_lsn, mark.offset)?,
            None => self.segment = None,
        }
        self.next_lsn = lsn;
        Ok(())
    }

    /// The next durable frame, or none if there is none yet.
    ///
    /// # Errors
    /// It cannot be read, or is not what was written.
    pub fn next_frame(&mut self) -> Result<Option<FrameRef<'_>>, FeedError> {
        if self.next_lsn > self.files.index.durable_lsn() {
            return Ok(None);
        }
        loop {
            let base_lsn = self.files.index.segment_holding(self.next_lsn).ok_or_else(|| self.missing())?;
            if self.segment.as_ref().is_none_or(|open| open.header.base_lsn != base_lsn) {
                self.segment = Some(self.open_segment(base_lsn)?);
            }
            let header = self.advance()?;
            let (offset, start) = self.consume(&header);
            if header.kind == FrameKind::Plan {
                self.mark(FrameMark { lsn: header.lsn, offset });
            }
            // A reader that opened a segment again finds its place by walking there.
            if header.kind == FrameKind::Plan && header.lsn == self.next_lsn {
                self.next_lsn = self.next_lsn.next();
                return Ok(self.frame(&header, offset, start));
            }
        }
    }

    /// Who comes by leaves marks for who seeks.
    fn mark(&mut self, frame: FrameMark) {
        let Some(open) = self.segment.as_mut() else { return };
        if open.pace.take_if_due(frame) {
            self.files.index.mark(open.header.base_lsn, &[frame]);
        }
    }

    fn missing(&self) -> FeedError {
        FeedError::Damaged(format!("the segment with LSN {} is missing", self.next_lsn))
    }

    fn open_segment(&self, base_lsn: Lsn) -> Result<OpenSegment, FeedError> {
        let path = self.files.index.path_of(base_lsn);
        let file = self.files.storage.open_read_only(&path)?;
        // Who is that far behind reads all of it, soon. The segment that is written now has room that is still empty.
        let index = &self.files.index;
        if index.segment_holding(index.durable_lsn()) != Some(base_lsn) {
            file.read_ahead();
        }
        let mut bytes = [0; SEGMENT_HEADER_LEN];
        let read = file.read_at(&mut bytes, 0)?;
        let header = SegmentHeader::decode(bytes.get(..read).unwrap_or_default())
            .ok()
            .filter(|header| header.store_id == self.files.store_id && header.base_lsn == base_lsn)
            .ok_or_else(|| FeedError::Damaged(format!("{path}: damaged at offset 0: not this store's segment")))?;
        let window = Window { bytes: Vec::new(), filled: 0, start: 0, frame_len: 0, durable_lsn: Lsn::ZERO };
        let chain = Some(header.chain);
        let offset = SEGMENT_HEADER_LEN as u64;
        let pace = MarkPace::from(FrameMark { lsn: base_lsn, offset });
        Ok(OpenSegment { file, path, header, offset, chain, window, pace })
    }

    /// Makes sure that the next frame of the open segment is whole in the window, and checks it.
    fn advance(&mut self) -> Result<FrameHeader, FeedError> {
        let (durable_lsn, next_lsn) = (self.files.index.durable_lsn(), self.next_lsn);
        let Some(open) = self.segment.as_mut() else { return Err(self.missing()) };
        if let Some(header) = open.window_frame(next_lsn) {
            return Ok(header);
        }
        // As much as what is durable may take, and not the room behind it, which is still empty.
        let frames = usize::try_from(durable_lsn.since(next_lsn)).unwrap_or(usize::MAX).saturating_add(1);
        let bytes = frames.saturating_mul(open.window.frame_len).clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX);
        open.fill(durable_lsn, bytes)?;
        if let Some(header) = open.window_frame(next_lsn) {
            return Ok(header);
        }
        open.fill(durable_lsn, FRAME_BYTES_MAX)?;
        open.window_frame(next_lsn).ok_or_else(|| {
            let (path, offset) = (&open.path, open.offset);
            FeedError::Damaged(format!("{path}: damaged at offset {offset}: no frame on the way to LSN {next_lsn}"))
        })
    }

    /// Moves on behind the frame that `advance` found; gives its offset in the file and in the window.
    fn consume(&mut self, header: &FrameHeader) -> (u64, usize) {
        let Some(open) = self.segment.as_mut() else { return (0, 0) };
        let found = (open.offset, open.window.start);
        if header.kind == FrameKind::Plan {
            open.window.frame_len = header.frame_len();
        }
        open.window.start = open.window.start.saturating_add(header.frame_len());
        open.offset = open.offset.saturating_add(header.frame_len() as u64);
        if header.kind == FrameKind::Plan {
            open.chain = Some(header.header_crc);
        }
        found
    }

    fn frame(&self, header: &FrameHeader, offset: u64, start: usize) -> Option<FrameRef<'_>> {
        let open = self.segment.as_ref()?;
        let body = open.window.bytes.get(start..)?.get(FRAME_HEADER_LEN..)?.get(..header.body_len)?;
        let (lsn, body_crc, segment) = (header.lsn, header.body_crc, open.header.base_lsn);
        Some(FrameRef { lsn, body, body_crc, chain_before: header.chain, segment, offset })
    }
}

impl OpenSegment {
    /// The frame at the window's start, if it is whole and in its place there. `wanted` bounds what is looked at: the
    /// window may hold the beginnings of frames that were not durable when it was read.
    fn window_frame(&self, wanted: Lsn) -> Option<FrameHeader> {
        let frame = self.window.bytes.get(self.window.start..self.window.filled)?;
        let header = FrameHeader::decode(frame)?;
        let in_place = matches!(header.kind, FrameKind::Plan | FrameKind::Mark)
            && header.epoch == self.header.epoch
            && header.lsn <= wanted
            && header.lsn <= self.window.durable_lsn
            && self.chain.is_none_or(|chain| chain == header.chain);
        (in_place && header.checked_body(frame).is_some()).then_some(header)
    }

    fn fill(&mut self, durable_lsn: Lsn, bytes: usize) -> io::Result<()> {
        let window = &mut self.window;
        if window.bytes.len() < bytes {
            window.bytes.resize(bytes, 0);
        }
        (window.start, window.filled, window.durable_lsn) = (0, 0, durable_lsn);
        let place = window.bytes.get_mut(..bytes).unwrap_or_default();
        window.filled = self.file.read_at(place, self.offset)?;
        Ok(())
    }
}
