//! What `rollcall simulate` says in the end.

use super::audit::{Findings, Missing, Otherwise};
use crate::{
    escape,
    screen::{Look, Tone},
};
use std::fmt::Display;

/// How many bots are listed of each kind. `--json` has them all.
const MOST: usize = 10;

/// The summary as text, without a line break at the end.
pub(super) fn render(findings: &Findings, look: Look) -> String {
    let Findings { bots, sent, copies, retries, dropped, .. } = findings;
    let count = |name: &str, text: String| format!("{} {text}", look.paint(&format!("{name:12}"), Tone::Faint));
    let mut lines = vec![
        count("bots", bots.to_string()),
        count("sent", format!("{sent}, of these {copies} twice and {retries} tried again; {dropped} lost on purpose")),
        count("answers", list(findings.answers.iter())),
        count("states", list(findings.states.iter())),
        count("outcomes", list(findings.outcomes.iter())),
        count("deliveries", list(findings.deliveries.iter())),
    ];
    let (excused, wrong): (Vec<_>, Vec<_>) =
        findings.otherwise.iter().partition(|otherwise| !otherwise.lost.is_empty());
    let shown = |items: Vec<String>, title: &str, tone: Tone| {
        let more = items.len().saturating_sub(MOST);
        let mut block = Vec::new();
        if !items.is_empty() {
            block.push(format!("\n{}", look.paint(&format!("{title}: {}", items.len()), tone)));
            block.extend(items.into_iter().take(MOST).map(|item| format!("  {item}")));
        }
        if more > 0 {
            block.push(format!("  and {more} more; --json lists them all"));
        }
        block
    };
    lines.extend(shown(
        excused.into_iter().map(excuse).collect(),
        "expected, and missing with what was lost",
        Tone::Odd,
    ));
    lines.extend(shown(wrong.into_iter().map(difference).collect(), "not as they should be", Tone::Bad));
    lines.extend(shown(
        findings.unaccounted.iter().map(missing).collect(),
        "accepted and not accounted for",
        Tone::Bad,
    ));
    if findings.verdict().is_ok() {
        lines.push(format!("\n{}", look.paint("every accepted delivery is accounted for", Tone::Good)));
    }
    lines.join("\n")
}

fn list<'a, N: Display + 'a>(counts: impl Iterator<Item = (N, &'a usize)>) -> String {
    let counts: Vec<String> = counts.map(|(name, count)| format!("{count} {name}")).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}

fn missing(missing: &Missing) -> String {
    format!("{} {}: {}", missing.provider, escape::text(&missing.bot_id), escape::text(&missing.name))
}

fn difference(otherwise: &Otherwise) -> String {
    let text = |[state, outcome]: [Option<&str>; 2]| {
        let outcome = outcome.map(|outcome| format!(" ({outcome})")).unwrap_or_default();
        format!("{}{outcome}", state.unwrap_or("unknown"))
    };
    format!(
        "{} {}: {} instead of {}",
        otherwise.provider,
        escape::text(&otherwise.bot_id),
        text(otherwise.found),
        text(otherwise.expected)
    )
}

fn excuse(otherwise: &Otherwise) -> String {
    let lost: Vec<String> = otherwise.lost.iter().map(|name| escape::text(name)).collect();
    format!("{}, without {}", difference(otherwise), lost.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    fn otherwise(bot_id: &str, lost: &[&str]) -> Otherwise {
        Otherwise {
            provider: "meetstream",
            bot_id: bot_id.to_owned(),
            expected: [Some("done"), Some("kicked")],
            found: [Some("recording"), None],
            lost: lost.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(),
        }
    }

    #[test]
    fn people_see_what_became_of_everything() {
        let findings = Findings {
            bots: 3,
            sent: 30,
            copies: 2,
            retries: 1,
            dropped: 4,
            answers: BTreeMap::from([("200".to_owned(), 29), ("503".to_owned(), 1)]),
            states: BTreeMap::from([("done", 2), ("recording", 1)]),
            outcomes: BTreeMap::from([("completed", 2)]),
            deliveries: BTreeMap::from([("applied", 27), ("duplicate", 2)]),
            unaccounted: vec![],
            otherwise: vec![otherwise("b-1", &["bot.done", "bot.kicked"])],
        };
        let well = "\
bots         3
sent         30, of these 2 twice and 1 tried again; 4 lost on purpose
answers      29 200, 1 503
states       2 done, 1 recording
outcomes     2 completed
deliveries   27 applied, 2 duplicate

expected, and missing with what was lost: 1
  meetstream b-1: recording instead of done (kicked), without bot.done, bot.kicked

every accepted delivery is accounted for";
        assert_eq!(render(&findings, Look::PLAIN), well);
        let missing = Missing { provider: "meetingbaas", bot_id: "b\u{1b}".to_owned(), name: "complete".to_owned() };
        let badly = Findings { unaccounted: vec![missing; 11], otherwise: vec![otherwise("b-1", &[])], ..findings };
        let text = render(&badly, Look::PLAIN);
        let end = "
not as they should be: 1
  meetstream b-1: recording instead of done (kicked)

accepted and not accounted for: 11
  meetingbaas b\\u{1b}: complete
";
        assert!(text.contains(end) && text.ends_with("  and 1 more; --json lists them all"), "{text}");
    }
}
