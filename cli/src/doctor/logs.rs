//! The functions' log lines, as far as a check needs them.

use super::{asking::lookup, facts::Lookup};
use crate::stack::Stack;
use serde_json::Value;

/// The most pages of one search. CloudWatch gives a page for each megabyte that it has looked through.
const MAX_PAGES: usize = 100;

/// The log group of a function, as the template names it.
pub fn group(function: &str) -> String {
    format!("/aws/lambda/{function}")
}

#[derive(Clone, Debug)]
pub struct Lines {
    pub group: String,
    /// The earliest, in seconds since the Unix epoch.
    pub since: i64,
    /// A filter pattern of CloudWatch Logs. The local AWS takes patterns of JSON for "everything".
    pub pattern: String,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// When it was written, in seconds since the Unix epoch.
    pub at: i64,
    pub text: String,
    /// The same as JSON; null where it is none.
    pub json: Value,
}

impl Lines {
    /// The lines that `is_it` says yes to.
    pub async fn find(&self, stack: &Stack, is_it: impl Fn(&Value) -> bool) -> Lookup<Vec<Line>> {
        let client = aws_sdk_cloudwatchlogs::Client::new(&stack.aws.config);
        let request = client
            .filter_log_events()
            .log_group_name(&self.group)
            .start_time(self.since.saturating_mul(1000))
            .filter_pattern(&self.pattern);
        let mut found = Vec::new();
        let mut next = None;
        for _ in 0..MAX_PAGES {
            let answer = request.clone().set_next_token(next).send().await;
            let page = match lookup(&stack.aws, &format!("searching {}", self.group), "search log lines", answer) {
                Lookup::Found(page) => page,
                other => return other.map(|_| vec![]),
            };
            for event in page.events.unwrap_or_default() {
                let text = event.message.unwrap_or_default();
                let json = serde_json::from_str(text.trim()).unwrap_or(Value::Null);
                if is_it(&json) {
                    found.push(Line { at: event.timestamp.unwrap_or_default() / 1000, text, json });
                }
            }
            next = page.next_token;
            if next.is_none() {
                break;
            }
        }
        Lookup::Found(found)
    }
}
