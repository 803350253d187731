//! Senders' text, made harmless for terminals. A terminal obeys what it is shown: a meeting bot's message could move the
//! cursor, recolour the screen, retitle the window or show its letters in another order.

use serde::Serialize;
use std::fmt::Write as _;

/// The text with everything a terminal would act on written out, as `\n`, `\u{1b}` and so on.
pub fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if acts_on_terminals(c) { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped
}

/// The value as JSON for people and programs: indented, and with everything a terminal would act on as `\u` escapes,
/// which JSON itself asks for the oldest of these characters only.
pub fn json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let plain = serde_json::to_string_pretty(value)?;
    let mut escaped = String::with_capacity(plain.len());
    for c in plain.chars() {
        // Outside of strings there are none but the line breaks of the indentation.
        if c != '\n' && acts_on_terminals(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    Ok(escaped)
}

/// An argument as a shell takes it back.
pub fn shell(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', r"'\''"))
}

/// Whether the text can be shown as it is.
pub fn is_harmless(text: &str) -> bool {
    !text.contains(acts_on_terminals)
}

fn acts_on_terminals(c: char) -> bool {
    // C0, DEL and C1, then what reverses, joins or hides text.
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, given: &str, shown: &str, as_json: &str) {
        assert_eq!(text(given), shown, "{name}");
        assert_eq!(json(&given).unwrap(), as_json, "{name}");
        assert_eq!(serde_json::from_str::<String>(as_json).unwrap(), given, "{name}: the value is the same");
        assert_eq!(is_harmless(given), given == shown, "{name}");
    }

    #[test]
    fn terminals_get_nothing_to_act_on() {
        check("plain", "Bot left – café 🤖", "Bot left – café 🤖", r#""Bot left – café 🤖""#);
        check("colour", "\u{1b}[31mred", r"\u{1b}[31mred", r#""\u001b[31mred""#);
        check("line", "a\r\nb\t\0", r"a\r\nb\t\u{0}", r#""a\r\nb\t\u0000""#);
        check("one-byte CSI", "\u{9b}2J", r"\u{9b}2J", r#""\u009b2J""#);
        check("delete", "a\u{7f}", r"a\u{7f}", r#""a\u007f""#);
        check("right to left", "\u{202e}gpj.exe", r"\u{202e}gpj.exe", r#""\u202egpj.exe""#);
        check("tag", "\u{e0041}", r"\u{e0041}", r#""\udb40\udc41""#);
    }

    #[test]
    fn arguments_survive_the_shell() {
        for (given, expected) in [
            ("7c1e4a92-5d0b", "7c1e4a92-5d0b"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$(reboot)", "'$(reboot)'"),
            ("~", "'~'"),
        ] {
            assert_eq!(shell(given), expected);
        }
    }
}
