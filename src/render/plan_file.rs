//! A plan as a file, for someone else or for later.

use serde_json::{Value, json};

use crate::model::Plan;
use crate::model::plan::SCHEMA;

use super::clean::clean;
use super::yaml::yaml;

const KIND: &str = "Plan";

/// Why a file is not a plan that may be carried out. One line, with what to do.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanFileError {
    #[error("this is neither YAML nor JSON ({0}); write the plan again with -o plan")]
    Unparsed(String),
    #[error("this is no plan of prom-fix (kind {0:?}); write one with -o plan")]
    NotAPlan(String),
    #[error(
        "this plan is of version {0:?}, and this program reads {SCHEMA}; write it again with -o plan"
    )]
    OtherVersion(String),
    #[error("this plan is not whole ({0}); write it again with -o plan")]
    Malformed(String),
    #[error(
        "this plan was changed after it was made (its digest is {is}, the file says {said}); write it again with -o plan"
    )]
    Changed { said: String, is: String },
}

/// The plan as YAML, with its digest, and a comment that says how to apply it.
pub fn plan_file(plan: &Plan) -> String {
    let mut value = json!(plan);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("apiVersion".into(), json!(SCHEMA));
        fields.insert("kind".into(), json!(KIND));
        fields.insert("digest".into(), json!(plan.digest()));
    }
    format!(
        "# {}: {}\n# Look at it, then:  kubectl prom-fix apply -f FILE --confirm {}\n\
         # Its guards are checked again then: if an object has moved since, nothing is done.\n{}",
        clean(&plan.target.short()),
        clean(&plan.title),
        plan.digest(),
        yaml(&value)
    )
}

/// Reads what [`plan_file`] wrote, as YAML or as JSON; refuses what was changed since.
pub fn read_plan(text: &str) -> Result<Plan, PlanFileError> {
    let one_line = |error: &dyn std::fmt::Display| {
        let text = error.to_string();
        clean(text.lines().next().unwrap_or_default())
    };
    let mut value: Value =
        serde_saphyr::from_str(text).map_err(|e| PlanFileError::Unparsed(one_line(&e)))?;
    let field = |name: &str| match value.get(name) {
        Some(Value::String(text)) => clean(text),
        Some(other) => clean(&other.to_string()),
        None => String::new(),
    };
    let (version, kind, said) = (field("apiVersion"), field("kind"), field("digest"));
    if kind != KIND {
        return Err(PlanFileError::NotAPlan(kind));
    }
    if version != SCHEMA {
        return Err(PlanFileError::OtherVersion(version));
    }
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| !matches!(name.as_str(), "apiVersion" | "kind" | "digest"));
    }
    let plan: Plan =
        serde_json::from_value(value).map_err(|e| PlanFileError::Malformed(one_line(&e)))?;
    let is = plan.digest();
    if is == said { Ok(plan) } else { Err(PlanFileError::Changed { said, is }) }
}
