//! What `rollcall simulate` says in the end.

use super::audit::{Differing, Findings, Missing, Otherwise};
use crate::{
    escape,
    screen::{Style, Tone},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

/// How many bots are listed of each kind. `--json` has them all.
const MOST: usize = 10;

/// The summary as text, without a line break at the end.
pub(super) fn render(findings: &Findings, style: Style) -> String {
    let Findings { bots, sent, copies, retries, dropped, .. } = findings;
    let count = |name: &str, text: String| format!("{} {text}", style.paint(&format!("{name:12}"), Tone::Faint));
    let mut lines = vec![
        count("bots", bots.to_string()),
        count("sent", format!("{sent}, of these {copies} twice and {retries} tried again; {dropped} lost on purpose")),
        count("answers", list(findings.answers.iter())),
        count("states", list(findings.states.iter())),
        count("outcomes", list(findings.outcomes.iter())),
        count("deliveries", list(findings.deliveries.iter())),
    ];
    if !findings.api_answers.is_empty() {
        lines.push(count("API answers", list(findings.api_answers.iter())));
    }
    lines.extend(findings.artifacts.iter().map(|(artifact, ends)| count(artifact, list(ends.iter()))));
    if !findings.artifacts.is_empty() {
        lines.push(count("API faults", faults(&findings.api_faults)));
    }
    let (excused, wrong): (Vec<_>, Vec<_>) =
        findings.otherwise.iter().partition(|otherwise| !otherwise.lost.is_empty());
    let (missed, differing): (Vec<_>, Vec<_>) =
        findings.differing.iter().partition(|differing| !differing.lost.is_empty());
    let shown = |items: Vec<String>, title: &str, tone: Tone| {
        let more = items.len().saturating_sub(MOST);
        let mut block = Vec::new();
        if !items.is_empty() {
            block.push(format!("\n{}", style.paint(&format!("{title}: {}", items.len()), tone)));
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
    let missed = missed.into_iter().map(|missed| without(&artifact(missed), &missed.lost)).collect();
    lines.extend(shown(missed, "artifacts missing with what was lost", Tone::Odd));
    lines.extend(shown(wrong.into_iter().map(difference).collect(), "not as they should be", Tone::Bad));
    let differing = differing.into_iter().map(artifact).collect();
    lines.extend(shown(differing, "artifacts that are not as they were served", Tone::Bad));
    lines.extend(shown(
        findings.unaccounted.iter().map(missing).collect(),
        "accepted and not accounted for",
        Tone::Bad,
    ));
    if findings.verdict().is_ok() {
        let and_artifacts = if findings.artifacts.is_empty() {
            ""
        } else {
            ", and every artifact is stored as it was served or unavailable for the right reason"
        };
        let verdict = format!("every accepted delivery is accounted for{and_artifacts}");
        lines.push(format!("\n{}", style.paint(&verdict, Tone::Good)));
    }
    lines.join("\n")
}

fn list<'a, N: Display + 'a>(counts: impl Iterator<Item = (N, &'a usize)>) -> String {
    let counts: Vec<String> = counts.map(|(name, count)| format!("{count} {name}")).collect();
    if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
}

/// Many of them are called by a number.
fn faults(counts: &BTreeMap<String, u64>) -> String {
    let counts: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} x {kind}")).collect();
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

fn artifact(differing: &Differing) -> String {
    let Differing { provider, bot_id, artifact, expected, found, .. } = differing;
    format!("{provider} {} {artifact}: {} instead of {expected}", escape::text(bot_id), escape::text(found))
}

fn excuse(otherwise: &Otherwise) -> String {
    without(&difference(otherwise), &otherwise.lost)
}

fn without(what: &str, lost: &BTreeSet<String>) -> String {
    let lost: Vec<String> = lost.iter().map(|name| escape::text(name)).collect();
    format!("{what}, without {}", lost.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

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
            api_answers: BTreeMap::from([("applied", 3)]),
            unaccounted: vec![],
            otherwise: vec![otherwise("b-1", &["bot.done", "bot.kicked"])],
            ..Findings::default()
        };
        let well = "\
bots         3
sent         30, of these 2 twice and 1 tried again; 4 lost on purpose
answers      29 200, 1 503
states       2 done, 1 recording
outcomes     2 completed
deliveries   27 applied, 2 duplicate
API answers  3 applied

expected, and missing with what was lost: 1
  meetstream b-1: recording instead of done (kicked), without bot.done, bot.kicked

every accepted delivery is accounted for";
        assert_eq!(render(&findings, Style::PLAIN), well);
        let missing = Missing { provider: "meetingbaas", bot_id: "b\u{1b}".to_owned(), name: "complete".to_owned() };
        let badly = Findings { unaccounted: vec![missing; 11], otherwise: vec![otherwise("b-1", &[])], ..findings };
        let text = render(&badly, Style::PLAIN);
        let end = "
not as they should be: 1
  meetstream b-1: recording instead of done (kicked)

accepted and not accounted for: 11
  meetingbaas b\\u{1b}: complete
";
        assert!(text.contains(end) && text.ends_with("  and 1 more; --json lists them all"), "{text}");
    }

    #[test]
    fn people_see_what_became_of_artifacts() {
        let ends = |ends: &[(&str, usize)]| ends.iter().map(|(end, count)| ((*end).to_owned(), *count)).collect();
        let differing = |lost: &[&str]| Differing {
            provider: "meetstream",
            bot_id: "b-1".to_owned(),
            artifact: "audio",
            expected: "unavailable (gone)".to_owned(),
            found: "nothing".to_owned(),
            lost: lost.iter().map(|name| (*name).to_owned()).collect(),
        };
        let findings = Findings {
            artifacts: BTreeMap::from([("audio", ends(&[("gone", 1), ("stored", 2)])), ("transcript", ends(&[]))]),
            api_faults: BTreeMap::from([("410 for ever".to_owned(), 3)]),
            differing: vec![differing(&["audio.processed"])],
            ..Findings::default()
        };
        let text = render(&findings, Style::PLAIN);
        let lines = [
            "\naudio        1 gone, 2 stored\ntranscript   none\nAPI faults   3 x 410 for ever\n",
            "\nartifacts missing with what was lost: 1\n  meetstream b-1 audio: nothing instead of unavailable (gone), \
             without audio.processed\n",
            "\nevery accepted delivery is accounted for, and every artifact is stored as it was served or unavailable for \
             the right reason",
        ];
        assert!(lines.iter().all(|line| text.contains(line)), "{text}");
        let text = render(&Findings { differing: vec![differing(&[])], ..findings }, Style::PLAIN);
        assert!(
            text.ends_with("as they were served: 1\n  meetstream b-1 audio: nothing instead of unavailable (gone)"),
            "{text}"
        );
    }
}
