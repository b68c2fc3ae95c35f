//! One table on another.

use toml::de::DeTable;
use toml::{Table, Value};

/// Lays a table on a base: tables join those of the base at every depth, all else takes its place.
pub(super) fn lay(base: &mut Table, over: Table) {
    lay_with(base, over, None, "");
}

/// As [`lay`], where `text` is what `over` was read from and `places` say where: a table in braces is a value, and takes
/// the base's place too.
pub(super) fn lay_with(base: &mut Table, over: Table, places: Option<&DeTable>, text: &str) {
    for (key, value) in over {
        let place = places.and_then(|places| places.get(key.as_str()));
        let is_braced = place.is_some_and(|place| text[place.span().start..].starts_with('{'));
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) if !is_braced => {
                let inner = place.and_then(|place| place.get_ref().as_table());
                lay_with(base, over, inner, text);
            }
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
