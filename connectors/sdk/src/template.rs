//! Names at the target that depend on the event: subjects, routing keys.

use crate::config::ConfigError;
use crate::event::Event;

/// A text with `{type}` and `{order_id}` in it, which each event fills in. The default is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Type,
    OrderId,
}

impl Template {
    /// Reads the value of the key `key`.
    ///
    /// # Errors
    /// It is empty, has a placeholder that there is not, or a brace without its partner.
    pub fn parse(key: &str, text: &str) -> Result<Self, ConfigError> {
        if text.is_empty() {
            return Err(ConfigError::key(key, "is empty"));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| ConfigError::key(key, "a { without its }"))?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(match name {
                "type" => Part::Type,
                "order_id" => Part::OrderId,
                unknown => {
                    let unknown = crate::text::excerpt(unknown, 40);
                    return Err(ConfigError::key(
                        key,
                        format!("{{{unknown}}} is unknown: it takes {{type}} and {{order_id}}"),
                    ));
                }
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        Ok(Self(parts))
    }

    /// The text for `event`.
    #[must_use]
    pub fn fill(&self, event: &Event) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Type => event.kind.clone(),
            Part::OrderId => event.order_id.clone(),
        };
        self.0.iter().map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        Event {
            tag: 1,
            attempt: 1,
            replay: None,
            line: Vec::new(),
            id: String::new(),
            kind: "OrderPlaced".to_owned(),
            order_id: "o-1".to_owned(),
            sequence: 1,
            order_version: 1,
            time: String::new(),
        }
    }

    #[test]
    fn placeholders_are_filled_in_and_unknown_ones_refused() {
        let fill = |text| Template::parse("subject", text).map(|template| template.fill(&event()));
        assert_eq!(fill("orders").unwrap(), "orders");
        assert_eq!(fill("orders.{type}.{order_id}.x").unwrap(), "orders.OrderPlaced.o-1.x");
        assert_eq!(fill("{type}{type}").unwrap(), "OrderPlacedOrderPlaced");
        for (text, problem) in [("", "empty"), ("a.{kind}", "{kind} is unknown"), ("a.{type", "without its }")] {
            let error = fill(text).unwrap_err().to_string();
            assert!(error.starts_with("subject: ") && error.contains(problem), "{error}");
        }
    }
}
