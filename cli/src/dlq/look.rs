//! `list` and `show`.

use super::{List, Of, Show, is_asked_for, is_of, missing, scan::Scan};
use crate::{
    bot,
    bucket::Bucket,
    failure::Failure,
    queue::Letter,
    replay::{
        content::{Content, Refusal},
        line::{self, Line},
        open,
    },
    screen::{self, Style},
    set_aside::show,
    stack::Stack,
};
use shared::Command;

impl List {
    pub(super) async fn run(self, of: Of, stack: &Stack, style: Style) -> Result<(), Failure> {
        let session = of.session(&self.whose)?;
        let limit = self.listing.limit.get();
        let bucket = Bucket::of(stack);
        let mut scan = Scan::begin(of.dead(stack)).await?;
        let found = scan.find(limit, |letter| is_of(letter, session.as_ref())).await;
        let expected = scan.expected();
        let unseen = scan.close().await?;
        let mut lines = Vec::new();
        for letter in found? {
            lines.push(describe(&bucket, of, &letter).await?.0);
        }
        if lines.is_empty() && !self.listing.json {
            let whose = session.as_ref().map(|id| format!(" of {}", bot::name(id))).unwrap_or_default();
            screen::remark(&format!("nothing{whose} is in {} on {}", of.dead(stack).name(), stack.aws.name));
        } else {
            line::print(&lines, self.listing.json, style)?;
        }
        if lines.len() >= limit {
            screen::remark(&format!("these are {limit} of about {expected}; --limit N shows more"));
        } else if let Some(remark) = unseen.remark() {
            screen::remark(&remark);
        }
        Ok(())
    }
}

/// What there is to say of a dead letter, and its body: of a delivery that of its sender, of everything else all of it.
async fn describe(bucket: &Bucket<'_>, of: Of, letter: &Letter) -> Result<(Line, Vec<u8>), Failure> {
    let line = Line { key: letter.id.clone(), stored_at: letter.sent_at, ..Line::default() };
    let whole = letter.body.clone().into_bytes();
    if of == Of::Commands {
        let line = match Command::decode(&letter.body) {
            Ok(command) => Line { event: Some(command.as_str().to_owned()), size_bytes: Some(whole.len()), ..line },
            Err(_) => Line { event: Some("unknown command".to_owned()), ..line.with_refusal(&Refusal::Command) },
        };
        return Ok((line, whole));
    }
    let content = Content::of_record(letter.body.clone());
    let line = line.with_content(&content);
    let Ok(content) = content else { return Ok((line, whole)) };
    let opened = open(bucket, content).await?;
    let line = line.with_opened(&opened);
    Ok((line, opened.map_or(whole, |opened| opened.message().body().to_vec())))
}

impl Show {
    pub(super) async fn run(self, of: Of, stack: &Stack) -> Result<(), Failure> {
        let mut scan = Scan::begin(of.dead(stack)).await?;
        let found = scan.find(1, |letter| is_asked_for(letter, &self.id)).await;
        let unseen = scan.close().await?;
        let Some(letter) = found?.pop() else {
            unseen.remark().iter().for_each(|remark| screen::remark(remark));
            return Err(missing(&self.id, of.dead(stack).name()));
        };
        let (line, body) = describe(&Bucket::of(stack), of, &letter).await?;
        show::print(&line, &body, self.raw)
    }
}
