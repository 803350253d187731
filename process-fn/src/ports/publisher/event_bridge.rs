use super::{PublishError, Publisher};
use aws_sdk_eventbridge::{Client, types::PutEventsRequestEntry};
use aws_smithy_types::DateTime;
use platform::aws::log_failure;
use shared::{session::PublishedEvent, settings::PublishedKinds};
use std::{ops::Range, time::Duration};
use tokio::time::sleep;

/// The source of every event, for rules to match.
const SOURCE: &str = "rollcall";

/// The sender's times that become an event's `Time`, in milliseconds since the Unix epoch: the years 2000 to 2099. AWS documents
/// `Time` (API reference, `PutEventsRequestEntry`) as a number of seconds that becomes an RFC 3339 time, which has no years before 0 or
/// after 9999, and does not say what it refuses. A refusal would fail the delivery on every try, and hold up its bot. Without
/// `Time` the event has the time at which it is published; `occurred_at` in its detail is always as the sender wrote it.
const TIMES: Range<i64> = 946_684_800_000..4_102_444_800_000;

/// The most events that `EventBridge` takes in one call.
const MAX_ENTRIES: usize = 10;

/// How often events are offered that were not taken while others of the call were.
const MAX_ATTEMPTS: u32 = 3;

/// The wait before they are offered again.
const PAUSE: Duration = Duration::from_millis(100);

/// An event bus on `EventBridge`.
#[derive(Clone, Debug)]
pub struct EventBridge {
    client: Client,
    bus_name: String,
    kinds: PublishedKinds,
}

impl EventBridge {
    /// Connects to a bus, which gets events of these kinds only.
    #[must_use]
    pub fn new(connection: &aws_types::SdkConfig, bus_name: String, kinds: PublishedKinds) -> Self {
        Self { client: Client::new(connection), bus_name, kinds }
    }

    fn entry(&self, event: &PublishedEvent) -> Result<PutEventsRequestEntry, PublishError> {
        let detail = serde_json::to_string(event).map_err(|_| PublishError)?;
        let moment = event.occurred_at.as_ref().map(|at| at.moment().as_millisecond());
        let time = moment.filter(|moment| TIMES.contains(moment)).map(DateTime::from_millis);
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.bus_name)
            .source(SOURCE)
            .detail_type(event.name)
            .detail(detail)
            .set_time(time);
        Ok(entry.build())
    }

    /// Offers events until all are taken. Those that were taken are not offered again.
    async fn put(&self, mut entries: Vec<PutEventsRequestEntry>) -> Result<(), PublishError> {
        for attempt in 1..=MAX_ATTEMPTS {
            let answer = self.client.put_events().set_entries(Some(entries.clone())).send().await.map_err(|error| {
                log_failure("PutEvents", &error);
                PublishError
            })?;
            let results = answer.entries();
            // An answer that does not speak of every event confirms none.
            if results.len() != entries.len() {
                return Err(PublishError);
            }
            let left: Vec<_> =
                entries.into_iter().zip(results).filter(|(_, result)| result.event_id().is_none()).collect();
            if left.is_empty() {
                return Ok(());
            }
            let code = left.first().and_then(|(_, result)| result.error_code()).unwrap_or_default();
            tracing::warn!(operation = "PutEvents", left = left.len(), code, attempt, "some events were not taken");
            entries = left.into_iter().map(|(entry, _)| entry).collect();
            sleep(PAUSE * attempt).await;
        }
        Err(PublishError)
    }
}

impl Publisher for EventBridge {
    async fn publish(&self, events: &[PublishedEvent]) -> Result<(), PublishError> {
        let wanted: Vec<_> = events.iter().filter(|event| self.kinds.contains(event.name)).collect();
        for some in wanted.chunks(MAX_ENTRIES) {
            self.put(some.iter().map(|event| self.entry(event)).collect::<Result<_, _>>()?).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_eventbridge::{operation::put_events::PutEventsOutput, types::PutEventsResultEntry};
    use aws_smithy_mocks::{Rule, RuleMode, mock, mock_client};
    use shared::{OccurredAt, Provider, SenderId, SessionId};

    fn published(count: usize) -> Vec<PublishedEvent> {
        (0..count)
            .map(|n| {
                let id = SenderId::try_from(format!("bot-{n}").as_str()).unwrap();
                PublishedEvent::of_erasure(&SessionId::bot(Provider::MeetStream, id))
            })
            .collect()
    }

    fn answer(taken: &[bool]) -> PutEventsOutput {
        let results = taken.iter().enumerate().map(|(n, taken)| {
            let result = PutEventsResultEntry::builder();
            if *taken { result.event_id(n.to_string()) } else { result.error_code("ThrottlingException") }.build()
        });
        PutEventsOutput::builder().set_entries(Some(results.collect())).build()
    }

    fn bus(client: Client, kinds: PublishedKinds) -> EventBridge {
        EventBridge { client, bus_name: "bus".to_owned(), kinds }
    }

    async fn publish(rules: &[&Rule], count: usize) -> Result<(), PublishError> {
        let client = mock_client!(aws_sdk_eventbridge, RuleMode::Sequential, rules);
        bus(client, PublishedKinds::default()).publish(&published(count)).await
    }

    #[tokio::test]
    async fn an_event_says_what_happened_to_whom() {
        let rule = mock!(Client::put_events)
            .match_requests(|request| {
                let [entry] = request.entries() else { return false };
                let detail: serde_json::Value = serde_json::from_str(entry.detail().unwrap()).unwrap();
                entry.event_bus_name() == Some("bus")
                    && entry.source() == Some("rollcall")
                    && entry.detail_type() == Some("data.deleted")
                    && detail["provider"] == "meetstream"
                    && detail["bot_id"] == "bot-0"
                    && detail["confirmed"] == true
                    && detail["id"].as_str().is_some_and(|id| id.len() == 64)
            })
            .then_output(|| answer(&[true]));
        assert_eq!(publish(&[&rule], 1).await, Ok(()));
        assert_eq!(rule.num_calls(), 1);
    }

    #[tokio::test]
    async fn what_nobody_wants_makes_no_call() {
        let wanted = |list: &'static str| PublishedKinds::from_env(&|_: &str| Some(list.to_owned())).unwrap();
        let rule = mock!(Client::put_events).then_output(|| answer(&[true]));
        for (list, calls) in [("meeting.ended", 0), ("meeting.ended,data.deleted", 1)] {
            let client = mock_client!(aws_sdk_eventbridge, RuleMode::MatchAny, [&rule]);
            assert_eq!(bus(client, wanted(list)).publish(&published(1)).await, Ok(()));
            assert_eq!(rule.num_calls(), calls, "{list}");
        }
    }

    #[test]
    fn a_time_that_no_clock_shows_is_left_out() {
        let bus = bus(mock_client!(aws_sdk_eventbridge, []), PublishedKinds::default());
        let told = |time: &str| {
            let occurred_at = OccurredAt::parse(time).unwrap();
            let entry =
                bus.entry(&PublishedEvent { occurred_at: Some(occurred_at), ..published(1).remove(0) }).unwrap();
            assert!(entry.detail().unwrap().contains(time), "the sender's own text is in the detail");
            entry.time().map(|time| time.secs())
        };
        assert_eq!(told("2026-10-05T10:00:00Z"), Some(1_791_194_400));
        for odd in ["9999-12-30T00:00:00Z", "-009999-06-01T00:00:00Z", "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"] {
            assert_eq!(told(odd), None, "{odd}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_taken_is_offered_again_and_what_was_is_not() {
        let first = mock!(Client::put_events)
            .match_requests(|request| request.entries().len() == 3)
            .then_output(|| answer(&[true, false, true]));
        let second = mock!(Client::put_events)
            .match_requests(|request| {
                request.entries().len() == 1 && request.entries()[0].detail().unwrap().contains("bot-1")
            })
            .then_output(|| answer(&[true]));
        assert_eq!(publish(&[&first, &second], 3).await, Ok(()));
        assert_eq!(second.num_calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn events_that_are_never_taken_are_an_error() {
        let never = || mock!(Client::put_events).then_output(|| answer(&[false]));
        let rules = [never(), never(), never()];
        assert_eq!(publish(&rules.iter().collect::<Vec<_>>(), 1).await, Err(PublishError));
        let silent = mock!(Client::put_events).then_output(|| answer(&[]));
        assert_eq!(publish(&[&silent], 1).await, Err(PublishError), "nobody confirmed it");
    }

    #[tokio::test]
    async fn more_events_than_a_call_takes_are_several_calls() {
        let ten = mock!(Client::put_events)
            .match_requests(|request| request.entries().len() == 10)
            .then_output(|| answer(&[true; 10]));
        let two = mock!(Client::put_events)
            .match_requests(|request| request.entries().len() == 2)
            .then_output(|| answer(&[true; 2]));
        assert_eq!(publish(&[&ten, &two], 12).await, Ok(()));
    }
}
