//! The way from somebody who asks to one pod, step by step: what is well, what is broken first, what
//! is not known.

use super::code::Code;
use super::object::ObjectRef;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    Ok,
    Broken,
    /// What would tell could not be read, or cannot be told from objects. Never `Ok`.
    NotKnown,
    /// Behind the first broken step.
    NotReached,
}

impl Passage {
    pub const fn word(self) -> &'static str {
        match self {
            Passage::Ok => "ok",
            Passage::Broken => "broken",
            Passage::NotKnown => "not-known",
            Passage::NotReached => "not-reached",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathStep {
    /// One word: `listens`, `probes`, `service`.
    pub name: &'static str,
    pub passage: Passage,
    /// What was read, or why it is not known; empty where it was not reached.
    pub says: String,
    /// Of what is broken, the finding's.
    pub code: Option<Code>,
}

impl PathStep {
    pub fn ok(name: &'static str, says: impl Into<String>) -> PathStep {
        PathStep { name, passage: Passage::Ok, says: says.into(), code: None }
    }

    pub fn not_known(name: &'static str, says: impl Into<String>) -> PathStep {
        PathStep { name, passage: Passage::NotKnown, says: says.into(), code: None }
    }

    pub fn broken(name: &'static str, code: Option<Code>, says: impl Into<String>) -> PathStep {
        PathStep { name, passage: Passage::Broken, says: says.into(), code }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// `any pod`, `the kubelet`, `deploy/grafana -n apps`, `ingress/prom`.
    pub from: String,
    pub to: ObjectRef,
    pub steps: Vec<PathStep>,
}

impl Path {
    /// What is behind the first broken step is not reached, whatever is known of it.
    pub fn new(from: impl Into<String>, to: ObjectRef, mut steps: Vec<PathStep>) -> Path {
        let broken = steps.iter().position(|step| step.passage == Passage::Broken);
        for step in steps.iter_mut().skip(broken.map_or(usize::MAX, |at| at.saturating_add(1))) {
            *step = PathStep {
                name: step.name,
                passage: Passage::NotReached,
                says: String::new(),
                code: None,
            };
        }
        Path { from: from.into(), to, steps }
    }

    /// The one step at which it is broken.
    pub fn broken(&self) -> Option<&PathStep> {
        self.steps.iter().find(|step| step.passage == Passage::Broken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;

    #[test]
    fn behind_the_first_broken_step_nothing_is_reached() {
        let steps = vec![
            PathStep::not_known("name", "forbidden"),
            PathStep::broken("listens", None, "a"),
            PathStep::ok("port", "b"),
            PathStep::broken("probes", None, "c"),
        ];
        let path = Path::new("any pod", ObjectRef::new(Kind::Pod, "mon", "p-0"), steps);
        let states: Vec<&str> = path.steps.iter().map(|step| step.passage.word()).collect();
        assert_eq!(states, ["not-known", "broken", "not-reached", "not-reached"]);
        assert_eq!(path.broken().map(|step| step.name), Some("listens"));
        assert!(path.steps[2].says.is_empty());
    }
}
