//! `rollcall urls`: where senders send to, and where everything else is.

use crate::{
    failure::Failure,
    screen::{self, Style, Tone},
    stack::{Keyring, Names, Stack, StackArgs},
};
use clap::Args;
use serde::Serialize;
use shared::Endpoint;
use std::collections::BTreeMap;

/// Show the URLs to give to senders, and the names of everything behind them
///
/// The callback URL ends in a secret token: whoever knows it can send anything about any bot. Give it only to the
/// provider. A route without a credential does not exist and is left out. The credentials are in Secrets Manager: without
/// permission to read them, all but the webhook URL of MeetStream are left out.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  rollcall urls
  rollcall urls --stack rollcall --region eu-central-1
  rollcall urls --json | jq -r .webhook_url")]
pub struct Urls {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The shape of `rollcall urls --json`.
#[derive(Clone, PartialEq, Serialize, Debug)]
struct Everything<'a> {
    stack_name: &'a str,
    webhook_url: &'a str,
    callback_url: Option<String>,
    #[serde(flatten)]
    meetingbaas: BTreeMap<&'static str, Option<String>>,
    function_url: &'a str,
    queue_url: &'a str,
    dlq_url: &'a str,
    commands_url: &'a str,
    commands_dlq_url: &'a str,
    table: &'a str,
    bucket: &'a str,
}

impl Urls {
    pub async fn run(self, stack_args: &StackArgs, style: Style) -> Result<(), Failure> {
        let stack = stack_args.open().await?;
        let (everything, left_out) = match stack.keyring().await {
            Ok(keyring) => Everything::of(&stack, Some(&keyring)),
            Err(failure) => {
                screen::remark(&format!("warning: no URLs but MeetStream's webhook URL: {failure}"));
                Everything::of(&stack, None)
            }
        };
        for (name, failure) in left_out {
            screen::remark(&format!("note: no {name}: {failure}"));
        }
        if self.json { screen::print_json(&everything) } else { screen::print(&everything.render(style)) }
    }
}

/// The routes of Meeting BaaS, with what people call them and what they are for.
const MEETINGBAAS: [(Endpoint, &str, &str); 4] = [
    (Endpoint::MeetingBaasV1, "v1 URL", "for the account's or a bot's webhook_url, which sends the API key along"),
    (Endpoint::MeetingBaasV2, "v2 URL", "for an endpoint on the dashboard, which Svix signs for"),
    (Endpoint::MeetingBaasCallback, "callback URL", "for a bot's callback_config, with its secret"),
    (Endpoint::MeetingBaasLegacy, "legacy URL", "for what signs as the vendor's web page says"),
];

impl<'a> Everything<'a> {
    /// All there is to say, and the names of what had to be left out of it although the credentials could be read.
    fn of(stack: &'a Stack, keyring: Option<&Keyring<'_>>) -> (Self, Vec<(&'static str, Failure)>) {
        let mut left_out = Vec::new();
        let mut url = |endpoint| {
            let found = match endpoint {
                Endpoint::MeetStreamCallback => keyring?.callback_url().map(|url| url.0),
                _ => keyring?.credential(endpoint).and_then(|_| stack.url(endpoint)),
            };
            found.map_err(|failure| left_out.push((Names::of(endpoint).url, failure))).ok()
        };
        let everything = Self {
            stack_name: &stack.name,
            webhook_url: &stack.webhook_url,
            callback_url: url(Endpoint::MeetStreamCallback),
            meetingbaas: MEETINGBAAS.map(|(endpoint, ..)| (Names::of(endpoint).url, url(endpoint))).into(),
            function_url: &stack.function_url,
            queue_url: &stack.queue_url,
            dlq_url: &stack.dlq_url,
            commands_url: &stack.commands_url,
            commands_dlq_url: &stack.commands_dlq_url,
            table: &stack.table,
            bucket: &stack.bucket,
        };
        (everything, left_out)
    }

    fn render(&self, style: Style) -> String {
        let remark = |text| style.paint(text, Tone::Faint);
        let secret = style.paint("a SECRET: whoever knows it can send anything about any bot", Tone::Odd);
        let mut lines = vec![
            format!("stack             {}", self.stack_name),
            String::new(),
            format!("webhook URL       {}", style.paint(self.webhook_url, Tone::Strong)),
            format!("                  {}", remark("for the workspace's webhooks, which are signed")),
        ];
        if let Some(url) = &self.callback_url {
            lines.push(format!("callback URL      {}", style.paint(url, Tone::Strong)));
            lines.push(format!(
                "                  {} {secret}",
                remark("for a bot's callback_url, which is not signed;")
            ));
        }
        if self.meetingbaas.values().any(Option::is_some) {
            lines.push("Meeting BaaS".to_owned());
        }
        for (endpoint, title, purpose) in MEETINGBAAS {
            if let Some(url) = self.meetingbaas.get(Names::of(endpoint).url).and_then(Option::as_ref) {
                lines.push(format!("  {title:16}{}", style.paint(url, Tone::Strong)));
                lines.push(format!("                  {}", remark(purpose)));
            }
        }
        lines.extend([
            format!("function URL      {}", self.function_url),
            String::new(),
            format!("events queue      {}", self.queue_url),
            format!("  dead letters    {}", self.dlq_url),
            format!("commands queue    {}", self.commands_url),
            format!("  dead letters    {}", self.commands_dlq_url),
            format!("table             {}", self.table),
            format!("bucket            {}", self.bucket),
        ]);
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::tests::{keyring, on_aws, stack};
    use serde_json::json;

    #[test]
    fn routes_without_a_credential_are_left_out() {
        let mut stack = stack();
        on_aws(&mut stack);
        let keyring = keyring(
            &stack,
            r#"{"meetstream_callback_tokens":"t","meetingbaas_svix_secrets":"s","meetingbaas_api_keys":","}"#,
        );
        let (everything, left_out) = Everything::of(&stack, Some(&keyring));
        let json = serde_json::to_value(&everything).unwrap();
        assert_eq!(json["callback_url"], "https://f.on.aws/webhooks/meetstream/t");
        assert_eq!(json["meetingbaas_v2_url"], "https://f.on.aws/webhooks/meetingbaas/v2");
        for name in ["meetingbaas_v1_url", "meetingbaas_callback_url", "meetingbaas_legacy_url"] {
            assert_eq!(json.get(name), Some(&json!(null)), "{name}");
        }
        let names: Vec<&str> = left_out.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["meetingbaas_v1_url", "meetingbaas_callback_url", "meetingbaas_legacy_url"]);
        let text = everything.render(Style::PLAIN);
        assert!(text.contains("Meeting BaaS\n  v2 URL          https://f.on.aws/webhooks/meetingbaas/v2\n"), "{text}");
        assert!(!text.contains("legacy"), "{text}");
    }

    #[test]
    fn without_credentials_there_is_one_route() {
        let stack = stack();
        let (everything, left_out) = Everything::of(&stack, None);
        assert!(left_out.is_empty() && everything.callback_url.is_none());
        assert!(!everything.render(Style::PLAIN).contains("Meeting BaaS"));
    }
}
