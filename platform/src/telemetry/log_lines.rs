//! Log lines: what the code and its libraries report through `tracing`, from the level INFO on, as a JSON object each.

use super::output;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    fmt::{self, Write},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

/// Writes every event as a line. A line says which span it was written in, which for a function is the invocation with
/// its request id; spans themselves write nothing.
///
/// It serves functions, which have one thread: the spans that are entered are one pile.
#[derive(Default)]
pub(super) struct LogLines(Mutex<Spans>);

#[derive(Default)]
struct Spans {
    last_id: u64,
    open: HashMap<u64, Open>,
    entered: Vec<u64>,
}

struct Open {
    fields: Map<String, Value>,
    handles: usize,
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: String,
    level: &'static str,
    #[serde(flatten)]
    fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<&'a Map<String, Value>>,
}

impl LogLines {
    fn spans(&self) -> MutexGuard<'_, Spans> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, event: &Event<'_>, at: Timestamp) -> serde_json::Result<Vec<u8>> {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans = self.spans();
        let span = spans.entered.last().and_then(|id| spans.open.get(id)).map(|open| &open.fields);
        let level = event.metadata().level().as_str();
        output::json_line(&Line { timestamp: format!("{at:.6}"), level, fields: fields.0, span })
    }
}

impl Subscriber for LogLines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        fields.insert("name", attributes.metadata().name().into());
        let mut spans = self.spans();
        spans.last_id += 1;
        let id = spans.last_id;
        spans.open.insert(id, Open { fields: fields.0, handles: 1 });
        span::Id::from_u64(id)
    }

    fn record(&self, id: &span::Id, values: &span::Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(open) = self.spans().open.get_mut(&id.into_u64()) {
            open.fields.append(&mut fields.0);
        }
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        if let Ok(line) = self.line(event, Timestamp::now()) {
            output::write(&line);
        }
    }

    fn enter(&self, id: &span::Id) {
        self.spans().entered.push(id.into_u64());
    }

    fn exit(&self, id: &span::Id) {
        let mut spans = self.spans();
        if let Some(at) = spans.entered.iter().rposition(|entered| *entered == id.into_u64()) {
            spans.entered.remove(at);
        }
    }

    fn clone_span(&self, id: &span::Id) -> span::Id {
        if let Some(open) = self.spans().open.get_mut(&id.into_u64()) {
            open.handles += 1;
        }
        id.clone()
    }

    fn try_close(&self, id: span::Id) -> bool {
        let (id, mut spans) = (id.into_u64(), self.spans());
        let Some(open) = spans.open.get_mut(&id) else { return false };
        open.handles = open.handles.saturating_sub(1);
        let last = open.handles == 0;
        if last {
            spans.open.remove(&id);
        }
        last
    }
}

/// What an event or a span says, by name; its text is the field `message`.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn insert(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a text does not fail; a value that fails to show itself is shown as far as it came.
        let _ = write!(text, "{value:?}");
        self.insert(field.name(), text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field.name(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tracing::{Dispatch, dispatcher::with_default, info_span};

    /// Keeps the lines instead of writing them.
    #[derive(Default)]
    struct Kept {
        lines: LogLines,
        texts: Mutex<Vec<Value>>,
    }

    impl Subscriber for Kept {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            self.lines.enabled(metadata)
        }
        fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
            self.lines.new_span(attributes)
        }
        fn record(&self, id: &span::Id, values: &span::Record<'_>) {
            self.lines.record(id, values);
        }
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, event: &Event<'_>) {
            let line = self.lines.line(event, Timestamp::from_microsecond(1_795_513_927_073_455).unwrap()).unwrap();
            self.texts.lock().unwrap().push(serde_json::from_slice(&line).unwrap());
        }
        fn enter(&self, id: &span::Id) {
            self.lines.enter(id);
        }
        fn exit(&self, id: &span::Id) {
            self.lines.exit(id);
        }
        fn clone_span(&self, id: &span::Id) -> span::Id {
            self.lines.clone_span(id)
        }
        fn try_close(&self, id: span::Id) -> bool {
            self.lines.try_close(id)
        }
    }

    fn lines_of(code: impl FnOnce()) -> (Vec<Value>, usize) {
        let kept = Arc::new(Kept::default());
        with_default(&Dispatch::from(Arc::clone(&kept)), code);
        let lines = kept.texts.lock().unwrap().clone();
        (lines, kept.lines.spans().open.len())
    }

    #[test]
    fn a_line_says_when_how_bad_what_and_in_which_invocation() {
        let (lines, open) = lines_of(|| {
            let span = info_span!("invoke", requestId = "r1", late = tracing::field::Empty);
            span.record("late", 7);
            span.in_scope(|| {
                tracing::error!(operation = "SendMessage", error = %"no \"answer\"", times = 3, "a call {}", "failed");
            });
        });
        let expected = serde_json::json!({
            "timestamp": "2026-11-24T09:52:07.073455Z", "level": "ERROR", "message": "a call failed",
            "operation": "SendMessage", "error": "no \"answer\"", "times": 3,
            "span": {"requestId": "r1", "late": 7, "name": "invoke"},
        });
        assert_eq!(lines, [expected]);
        assert_eq!(open, 0, "a span that has ended is forgotten");
    }

    #[test]
    fn absent_fields_spans_and_details_are_left_out() {
        let (lines, _) = lines_of(|| {
            tracing::debug!("a detail");
            drop(info_span!("invoke").entered());
            tracing::warn!(place = None::<String>, "outside");
        });
        let expected =
            serde_json::json!({"timestamp": "2026-11-24T09:52:07.073455Z", "level": "WARN", "message": "outside"});
        assert_eq!(lines, [expected]);
    }

    #[test]
    fn of_spans_that_overlap_the_last_entered_is_told() {
        let (lines, open) = lines_of(|| {
            let (outer, inner) = (info_span!("outer"), info_span!("inner"));
            let (outer, inner) = (outer.entered(), inner.entered());
            drop(outer);
            tracing::info!("within");
            drop(inner);
            tracing::info!("after");
        });
        let names: Vec<_> = lines.iter().map(|line| line.pointer("/span/name").cloned()).collect();
        assert_eq!((names, open), (vec![Some("inner".into()), None], 0));
    }
}
