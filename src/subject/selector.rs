//! Label selectors as `-l` takes them: `a=b,c!=d,e,!f,g in (h,i),j notin (k)`.

use serde_json::Value;

use crate::model::object::ObjectExt;

/// Whether an object carries what a selector asks for; the empty selector asks for nothing.
pub fn matches(selector: &str, object: &Value) -> bool {
    requirements(selector).iter().all(|requirement| meets(requirement, object))
}

/// Whether labels hold every pair of an equality selector (a Service's, `matchLabels`). An empty
/// or missing one selects nothing: a Service without selector has endpoints of its own.
pub fn holds(selector: Option<&Value>, labels: Option<&Value>) -> bool {
    let Some(pairs) = selector.and_then(Value::as_object).filter(|pairs| !pairs.is_empty()) else {
        return false;
    };
    pairs.iter().all(|(key, value)| labels.and_then(|l| l.get(key)) == Some(value))
}

/// A LabelSelector (apimachinery meta/v1): all of `matchLabels` and all of `matchExpressions`; an
/// empty one selects everything.
pub fn selects(selector: &Value, object: &Value) -> bool {
    let labels = selector.get("matchLabels").and_then(Value::as_object);
    let equal =
        labels.is_none_or(|all| all.iter().all(|(key, value)| object.label(key) == value.as_str()));
    equal && selector.list("/matchExpressions").iter().all(|one| fits(one, object))
}

fn fits(expression: &Value, object: &Value) -> bool {
    let label = object.label(expression.text("/key"));
    let values = expression.list("/values");
    let among = label.is_some_and(|label| values.iter().any(|value| value == label));
    match expression.text("/operator") {
        "In" => among,
        "NotIn" => !among,
        "Exists" => label.is_some(),
        "DoesNotExist" => label.is_none(),
        _ => false,
    }
}

/// The requirements of a selector: a comma inside brackets does not divide.
fn requirements(selector: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut depth = 0u32;
    for c in selector.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == ',' && depth == 0 {
            out.push(String::new());
        } else if let Some(last) = out.last_mut() {
            last.push(c);
        }
    }
    out.iter().map(|r| r.trim().to_owned()).filter(|r| !r.is_empty()).collect()
}

fn meets(requirement: &str, object: &Value) -> bool {
    let value = |key: &str| object.label(key.trim());
    let among = |set: &str, value: Option<&str>| {
        let set = set.trim().trim_start_matches('(').trim_end_matches(')');
        value.is_some_and(|value| set.split(',').any(|one| one.trim() == value))
    };
    if let Some((key, set)) = requirement.split_once(" notin ") {
        !among(set, value(key))
    } else if let Some((key, set)) = requirement.split_once(" in ") {
        among(set, value(key))
    } else if let Some((key, other)) = requirement.split_once("!=") {
        value(key) != Some(other.trim())
    } else if let Some((key, same)) = requirement.split_once('=') {
        value(key) == Some(same.trim_start_matches('=').trim())
    } else if let Some(key) = requirement.strip_prefix('!') {
        value(key).is_none()
    } else {
        value(requirement).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::matches;
    use serde_json::json;

    #[test]
    fn every_form_of_requirement_is_understood() {
        let object = json!({"metadata": {"labels": {"a": "1", "b": "2"}}});
        let rows = [
            ("", true),
            ("a=1", true),
            ("a==1,b=2", true),
            ("a=2", false),
            ("a!=2,c!=1", true),
            ("a", true),
            ("c", false),
            ("!c", true),
            ("a in (1,2),b", true),
            ("a in (3, 4)", false),
            ("a notin (3,4)", true),
        ];
        for (selector, want) in rows {
            assert_eq!(matches(selector, &object), want, "{selector}");
        }
    }
}
