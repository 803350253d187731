//! Transcripts for people and for players.

use super::shape::{Segment, Transcript};
use std::fmt::Write as _;

/// How long a caption without an end is shown, in milliseconds, unless the next one begins earlier.
const USUAL_MILLISECONDS: u64 = 3000;

/// A segment, and when it is shown, in milliseconds.
struct Cue<'a> {
    start: u64,
    end: u64,
    is_timed: bool,
    speaker: Option<String>,
    segment: &'a Segment,
}

/// One line for each segment: `[0:05:01] Priya Raman: We should ship it.`, in order of time.
#[must_use]
pub fn text(transcript: &Transcript) -> String {
    let mut rendered = String::new();
    for cue in cues(transcript) {
        if cue.is_timed {
            let seconds = cue.start / 1000;
            // Writing to a string cannot fail.
            let _ = write!(rendered, "[{}:{:02}:{:02}] ", seconds / 3600, seconds / 60 % 60, seconds % 60);
        }
        if let Some(speaker) = &cue.speaker {
            let _ = write!(rendered, "{speaker}: ");
        }
        let _ = writeln!(rendered, "{}", flat(&cue.segment.text));
    }
    rendered
}

/// `SubRip` captions, in order of time.
#[must_use]
pub fn srt(transcript: &Transcript) -> String {
    let mut rendered = String::new();
    for (index, cue) in cues(transcript).iter().enumerate() {
        let speaker = cue.speaker.as_ref().map(|speaker| format!("{speaker}: ")).unwrap_or_default();
        // Players look for the arrow, and the format has no way to write one.
        let said = format!("{speaker}{}", flat(&cue.segment.text)).replace("-->", "→");
        let (start, end) = (clock(cue.start, ','), clock(cue.end, ','));
        let _ = write!(rendered, "{}\n{start} --> {end}\n{said}\n\n", index + 1);
    }
    rendered
}

/// `WebVTT` captions with their speakers as voices, in order of time.
#[must_use]
pub fn vtt(transcript: &Transcript) -> String {
    let mut rendered = String::from("WEBVTT\n\n");
    for cue in cues(transcript) {
        let voice = cue.speaker.as_ref().map(|speaker| format!("<v {}>", escaped(speaker))).unwrap_or_default();
        let (start, end) = (clock(cue.start, '.'), clock(cue.end, '.'));
        let _ = write!(rendered, "{start} --> {end}\n{voice}{}\n\n", escaped(&flat(&cue.segment.text)));
    }
    rendered
}

/// The segments in order of time, each with a beginning and an end. A segment without a time comes right after the one before it.
fn cues(transcript: &Transcript) -> Vec<Cue<'_>> {
    let mut last = 0;
    let mut cues: Vec<Cue<'_>> = Vec::with_capacity(transcript.segments.len());
    for segment in &transcript.segments {
        let start = segment.start_seconds.map_or(last, milliseconds);
        let end = segment.end_seconds.map(milliseconds).filter(|end| *end > start).unwrap_or(0);
        last = end.max(start);
        let speaker = segment.speaker.as_deref().map(flat).filter(|name| !name.is_empty()).map(|name| {
            let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
            if is_number { format!("Speaker {name}") } else { name }
        });
        cues.push(Cue { start, end, is_timed: segment.start_seconds.is_some(), speaker, segment });
    }
    // Stable: what begins at the same time stays in the provider's order.
    cues.sort_by_key(|cue| cue.start);
    let mut next = None;
    for cue in cues.iter_mut().rev() {
        if cue.end == 0 {
            let usual = cue.start.saturating_add(USUAL_MILLISECONDS);
            cue.end = next.filter(|next| *next > cue.start).map_or(usual, |next: u64| next.min(usual));
        }
        next = Some(cue.start);
    }
    cues
}

/// Rounded to the nearest millisecond; a time beyond the range becomes the largest or the smallest value.
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

fn clock(milliseconds: u64, separator: char) -> String {
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    format!("{:02}:{:02}:{:02}{separator}{rest:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// The text in one line, because a blank line would end a caption. Control characters are dropped.
fn flat(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
