//! Settings from environment variables, read once at start-up through a closure.

/// Looks up one environment variable: in production `platform::environment`, in tests a table.
pub trait Lookup: Fn(&str) -> Option<String> {}
impl<F: Fn(&str) -> Option<String>> Lookup for F {}

/// A setting that cannot be used. The function refuses to start: half configured, it would lose webhooks quietly.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    /// The variable is absent or empty.
    #[error("the environment variable {0} is missing or empty: set it in template.yaml")]
    Missing(&'static str),
    /// The variable has a value that makes no sense.
    #[error("the environment variable {name} cannot be used: {reason}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What is wrong with it; never the value itself, which may be a secret.
        reason: String,
    },
}

/// The value of a variable that may be left out; empty and blank count as left out.
///
/// # Errors
/// [`ConfigError::Invalid`] for a `CloudFormation` reference that was deployed without being resolved.
pub fn optional(lookup: &impl Lookup, name: &'static str) -> Result<Option<String>, ConfigError> {
    let Some(value) = lookup(name) else { return Ok(None) };
    let value = value.trim();
    if value.contains("{{resolve:") {
        let reason =
            "it holds a literal, unresolved {{resolve:…}} reference: deploy it through CloudFormation".to_owned();
        return Err(ConfigError::Invalid { name, reason });
    }
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

/// The value of a variable that must be there.
///
/// # Errors
/// [`ConfigError`] when it is absent, empty or an unresolved reference.
pub fn required(lookup: &impl Lookup, name: &'static str) -> Result<String, ConfigError> {
    optional(lookup, name)?.ok_or(ConfigError::Missing(name))
}

/// A whole number within `range`, or `default` when the variable is left out.
///
/// # Errors
/// [`ConfigError::Invalid`] for anything that is not a number in the range.
pub fn number(
    lookup: &impl Lookup,
    name: &'static str,
    default: u32,
    range: std::ops::RangeInclusive<u32>,
) -> Result<u32, ConfigError> {
    let Some(text) = optional(lookup, name)? else { return Ok(default) };
    match text.parse::<u32>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => {
            let reason = format!("it must be a whole number from {} to {}", range.start(), range.end());
            Err(ConfigError::Invalid { name, reason })
        }
    }
}

/// The parts of a comma-separated variable, trimmed, without empty ones; none when it is left out.
///
/// # Errors
/// [`ConfigError::Invalid`] for an unresolved reference.
pub fn list(lookup: &impl Lookup, name: &'static str) -> Result<Vec<String>, ConfigError> {
    let text = optional(lookup, name)?.unwrap_or_default();
    Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(value: &str) -> impl Lookup {
        move |name| (name == "X").then(|| value.to_owned())
    }

    #[test]
    fn blank_counts_as_absent() {
        assert_eq!(required(&table("  "), "X"), Err(ConfigError::Missing("X")));
        assert_eq!(required(&|_: &str| None, "X"), Err(ConfigError::Missing("X")));
        assert_eq!(optional(&table(""), "X"), Ok(None));
        assert_eq!(required(&table(" v "), "X"), Ok("v".to_owned()));
    }

    #[test]
    fn lists_hold_one_or_more_values() {
        assert_eq!(list(&table("new, old ,"), "X"), Ok(vec!["new".to_owned(), "old".to_owned()]));
        assert_eq!(list(&table(" , "), "X"), Ok(vec![]));
    }

    #[test]
    fn unresolved_references_are_refused_without_being_shown() {
        let error = list(&table("{{resolve:secretsmanager:name:SecretString:key}}"), "X").unwrap_err();
        assert!(matches!(&error, ConfigError::Invalid { name: "X", .. }));
        assert!(!error.to_string().contains("secretsmanager"));
    }

    #[test]
    fn numbers_are_bounded() {
        assert_eq!(number(&table(""), "X", 20, 2..=100), Ok(20));
        assert_eq!(number(&table("7"), "X", 20, 2..=100), Ok(7));
        for bad in ["1", "101", "-3", "many"] {
            assert!(number(&table(bad), "X", 20, 2..=100).is_err(), "{bad}");
        }
    }
}
