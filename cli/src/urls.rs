//! `rollcall urls`: where senders send to, and where everything else is.

use crate::{
    escape,
    failure::Failure,
    screen::{self, Look, Tone},
    stack::{Place, Stack},
};
use clap::Args;
use serde::Serialize;

/// Show the URLs to give to senders, and the names of everything behind them
///
/// The callback URL ends in a secret token: whoever knows it can claim things about any bot. Give it to nobody but the
/// provider. It is read from Secrets Manager; without permission for that it is left out.
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
    callback_url: Option<&'a str>,
    function_url: &'a str,
    queue_url: &'a str,
    dlq_url: &'a str,
    commands_url: &'a str,
    table: &'a str,
    bucket: &'a str,
}

impl Urls {
    /// Carries the command out.
    ///
    /// # Errors
    /// When the stack cannot be described.
    pub async fn run(self, place: &Place, look: Look) -> Result<(), Failure> {
        let stack = place.open().await?;
        let callback_url = match stack.callback_url().await {
            Ok(url) => Some(url.0),
            Err(failure) => {
                screen::remark(&format!("warning: no callback URL: {failure}"));
                None
            }
        };
        let everything = Everything::of(&stack, callback_url.as_deref());
        screen::print(&if self.json {
            escape::json(&everything).map_err(|error| Failure::new(error.to_string()))?
        } else {
            everything.render(look)
        })
    }
}

impl<'a> Everything<'a> {
    fn of(stack: &'a Stack, callback_url: Option<&'a str>) -> Self {
        Self {
            stack_name: &stack.name,
            webhook_url: &stack.webhook_url,
            callback_url,
            function_url: &stack.function_url,
            queue_url: &stack.queue_url,
            dlq_url: &stack.dlq_url,
            commands_url: &stack.commands_url,
            table: &stack.table,
            bucket: &stack.bucket,
        }
    }

    fn render(&self, look: Look) -> String {
        let remark = |text| look.paint(text, Tone::Faint);
        let secret = look.paint("a SECRET: whoever knows it can claim things about any bot", Tone::Odd);
        let mut lines = vec![
            format!("stack             {}", self.stack_name),
            String::new(),
            format!("webhook URL       {}", look.paint(self.webhook_url, Tone::Strong)),
            format!("                  {}", remark("for the workspace's webhooks, which are signed")),
        ];
        if let Some(url) = self.callback_url {
            lines.push(format!("callback URL      {}", look.paint(url, Tone::Strong)));
            lines.push(format!(
                "                  {} {secret}",
                remark("for a bot's callback_url, which is not signed;")
            ));
        }
        lines.extend([
            format!("function URL      {}", self.function_url),
            String::new(),
            format!("events queue      {}", self.queue_url),
            format!("  dead letters    {}", self.dlq_url),
            format!("commands queue    {}", self.commands_url),
            format!("table             {}", self.table),
            format!("bucket            {}", self.bucket),
        ]);
        lines.join("\n")
    }
}
