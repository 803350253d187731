//! What was said in a meeting, made up from a seed, and how each provider writes it down.

use crate::time::{millis, plus_millis};
use fastrand::Rng;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Everything that was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transcript {
    /// In the order in which it was said.
    pub utterances: Vec<Utterance>,
}

/// What one person said in one go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Utterance {
    /// Who.
    pub speaker: String,
    /// The words, in the order in which they were said.
    pub words: Vec<Word>,
}

/// One word, and when it was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    /// As it is written, with its punctuation.
    pub text: String,
    /// When it begins, in milliseconds since the recording began.
    pub start_ms: u64,
    /// When it ends, likewise.
    pub end_ms: u64,
}

/// What people say in meetings. Some of it is not ASCII, and some needs escaping.
const SENTENCES: [&str; 20] = [
    "Good morning, everybody.",
    "Can you hear me?",
    "Yes, loud and clear.",
    "Let's begin with the numbers from last week.",
    "We should ship it on Thursday, because the team wants it out before the café closes.",
    "Do you \"really\" think so?",
    "That looks a bit naïve to me, to be honest.",
    "The office in 日本 says maybe, and that is not a no.",
    "Sorry, I was on mute.",
    "Who takes the notes?",
    "The webhooks all arrived, every single one. 🎉",
    "Then let's not touch it before lunch.",
    "I would rather wait for the second round of tests.",
    "What does that cost us in a month?",
    "Less than the coffee.",
    "I'll share my screen for a moment.",
    "Is anybody against it?",
    "No, go ahead.",
    "Right.",
    "Thank you all, see you on Monday.",
];

impl Utterance {
    /// What was said, as text.
    #[must_use]
    pub fn text(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// When it begins, in milliseconds since the recording began.
    #[must_use]
    pub fn start_ms(&self) -> u64 {
        self.words.first().map_or(0, |word| word.start_ms)
    }

    /// When it ends, likewise.
    #[must_use]
    pub fn end_ms(&self) -> u64 {
        self.words.last().map_or(0, |word| word.end_ms)
    }
}

impl Transcript {
    /// A conversation of that many utterances among `speakers`.
    #[must_use]
    pub fn from_seed(seed: u64, speakers: &[String], utterances: usize) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut at = 1_500;
        let utterances = (0..utterances).map(|_| {
            let speaker = rng.choice(speakers).cloned().unwrap_or_default();
            let sentence = rng.choice(&SENTENCES).copied().unwrap_or_default();
            let words = sentence.split(' ').map(|word| {
                let (start_ms, end_ms) = (at, at + rng.u64(80..=600));
                at = end_ms + rng.u64(10..=90);
                Word { text: word.to_owned(), start_ms, end_ms }
            });
            let words = words.collect();
            at += rng.u64(200..=2_000);
            Utterance { speaker, words }
        });
        Self { utterances: utterances.collect() }
    }

    /// As `MeetStream` answers `get_transcript`: the text is in `transcript`, and the list is the whole document.
    #[must_use]
    pub fn of_meetstream(&self, began_at: Timestamp) -> Value {
        let utterances = self.utterances.iter().map(|utterance| {
            let speaker = self.number_of(&utterance.speaker);
            let words = utterance.words.iter().map(|word| {
                json!({
                    "word": word.text.trim_matches(|edge: char| edge.is_ascii_punctuation()).to_lowercase(),
                    "punctuated_word": word.text,
                    "start": seconds(word.start_ms),
                    "end": seconds(word.end_ms),
                    "confidence": 0.99,
                    "speaker": speaker,
                    "speaker_confidence": 0.95,
                })
            });
            json!({
                "speaker": utterance.speaker,
                "transcript": utterance.text(),
                "start_time": seconds(utterance.start_ms()),
                "end_time": seconds(utterance.end_ms()),
                "absolute_start_time": millis(plus_millis(began_at, utterance.start_ms())),
                "absolute_end_time": millis(plus_millis(began_at, utterance.end_ms())),
                "words": words.collect::<Vec<_>>(),
            })
        });
        utterances.collect()
    }

    /// What the engine behind `MeetStream` made of it, with `raw=true`.
    #[must_use]
    pub fn raw_of_meetstream(&self, transcript_id: &str) -> Value {
        let text: Vec<String> = self.utterances.iter().map(Utterance::text).collect();
        json!({ "id": transcript_id, "results": { "channels": [{ "alternatives": [{ "transcript": text.join(" ") }] }] } })
    }

    /// As v1 of Meeting BaaS sends it in `complete`: no text but that of the words.
    #[must_use]
    pub fn inline_of_v1(&self) -> Value {
        let utterances = self.utterances.iter().map(|utterance| {
            let words = utterance
                .words
                .iter()
                .map(|word| json!({ "start": seconds(word.start_ms), "end": seconds(word.end_ms), "word": word.text }));
            json!({
                "speaker": utterance.speaker,
                "offset": seconds(utterance.start_ms()),
                "start_time": seconds(utterance.start_ms()),
                "end_time": seconds(utterance.end_ms()),
                "words": words.collect::<Vec<_>>(),
            })
        });
        utterances.collect()
    }

    /// As v1 of Meeting BaaS answers `meeting_data`: a word is in `text` there.
    #[must_use]
    pub fn stored_of_v1(&self) -> Value {
        let utterances = self.utterances.iter().zip(1_u32..).map(|(utterance, id)| {
            let words = utterance.words.iter().zip(1_u32..).map(|(word, id)| {
                json!({
                    "id": id,
                    "bot_id": 1,
                    "user_id": null,
                    "text": word.text,
                    "start_time": seconds(word.start_ms),
                    "end_time": seconds(word.end_ms),
                })
            });
            json!({
                "id": id,
                "bot_id": 1,
                "user_id": null,
                "lang": "en",
                "speaker": utterance.speaker,
                "start_time": seconds(utterance.start_ms()),
                "end_time": seconds(utterance.end_ms()),
                "words": words.collect::<Vec<_>>(),
            })
        });
        utterances.collect()
    }

    /// As v2 of Meeting BaaS stores it in `output_transcription.json`.
    #[must_use]
    pub fn of_v2(&self, bot_id: &str, created_at: Timestamp) -> Value {
        let utterances = self.utterances.iter().map(|utterance| {
            let words = utterance.words.iter().map(|word| {
                json!({
                    "word": word.text,
                    "start": seconds(word.start_ms),
                    "end": seconds(word.end_ms),
                    "confidence": 0.98,
                })
            });
            json!({
                "text": utterance.text(),
                "language": "en",
                "start": seconds(utterance.start_ms()),
                "end": seconds(utterance.end_ms()),
                "confidence": 0.95,
                "channel": 0,
                "words": words.collect::<Vec<_>>(),
                "speaker": utterance.speaker,
            })
        });
        let utterances: Vec<Value> = utterances.collect();
        let duration = self.utterances.last().map_or(0, Utterance::end_ms);
        json!({
            "bot_id": bot_id,
            "provider": "gladia",
            "result": {
                "total_utterances": utterances.len(),
                "utterances": utterances,
                "languages": ["en"],
                "total_duration": seconds(duration),
            },
            "created_at": millis(created_at),
        })
    }

    /// Who said something, each once, in the order of their first words.
    #[must_use]
    pub fn speakers(&self) -> Vec<&str> {
        let mut speakers = Vec::new();
        for Utterance { speaker, .. } in &self.utterances {
            if !speakers.contains(&speaker.as_str()) {
                speakers.push(speaker);
            }
        }
        speakers
    }

    fn number_of(&self, speaker: &str) -> Option<usize> {
        self.speakers().iter().position(|other| *other == speaker)
    }
}

/// Milliseconds as the number of seconds that JSON gets.
#[expect(clippy::cast_precision_loss, reason = "a meeting has fewer than 2^52 milliseconds")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript() -> Transcript {
        Transcript::from_seed(3, &["Priya Raman".to_owned(), "Tom Ilves".to_owned()], 20)
    }

    #[test]
    fn a_conversation_moves_forward_and_repeats_itself_by_its_seed() {
        let conversation = transcript();
        let words: Vec<&Word> = conversation.utterances.iter().flat_map(|utterance| &utterance.words).collect();
        assert!(words.iter().all(|word| word.start_ms < word.end_ms));
        assert!(words.is_sorted_by(|a, b| a.end_ms <= b.start_ms));
        assert_eq!(conversation.speakers().len(), 2);
        assert_eq!(conversation, transcript());
        assert_ne!(conversation, Transcript::from_seed(4, &["Priya Raman".to_owned()], 20));
    }

    /// One speaker, text and time of each document, wherever that dialect has them.
    #[test]
    fn every_dialect_says_the_same() {
        let transcript = transcript();
        let said = &transcript.utterances[7];
        let began_at = "2026-10-05T14:00:22Z".parse().unwrap();
        let of = |document: Value, list: &str, text: &str, start: &str| {
            let utterance = document.pointer(&format!("{list}/7")).unwrap();
            assert_eq!(utterance["speaker"], said.speaker, "{list}");
            assert_eq!(utterance.pointer(text).unwrap(), &said.words[0].text, "{list}{text}");
            assert_eq!(utterance[start], seconds(said.start_ms()), "{list}{start}");
        };
        of(transcript.of_meetstream(began_at), "", "/words/0/punctuated_word", "start_time");
        of(transcript.inline_of_v1(), "", "/words/0/word", "start_time");
        of(transcript.stored_of_v1(), "", "/words/0/text", "start_time");
        of(transcript.of_v2("b", began_at), "/result/utterances", "/words/0/word", "start");
        assert_eq!(transcript.of_meetstream(began_at)[7]["transcript"], said.text());
        assert_eq!(transcript.of_v2("b", began_at)["result"]["utterances"][7]["text"], said.text());
    }
}
