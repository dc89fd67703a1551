//! The one door between a plan and its execution: what a person agreed to. Knows nothing of
//! terminals; the question is put by a function it is given.

use std::ops::Deref;

use crate::model::plan::{Blocked, BlockedReason, Plan};

/// A plan that somebody agreed to. Only [`approve`] makes one, and nothing changes it.
#[must_use = "an approved plan is carried out by beginning a journal for it"]
#[derive(Debug)]
pub struct Approved(Plan);

impl Deref for Approved {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.0
    }
}

/// How the person agrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// By answering on a terminal.
    Ask,
    /// `--yes`: whatever this plan is, but what is [beyond](crate::model::plan::Impact) what can be
    /// agreed to beforehand, where it was.
    Yes,
    /// `--confirm DIGEST`: this plan and no other.
    Confirm(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consents {
    pub consent: Consent,
    pub allow_downtime: bool,
    /// It was given before a look that the plan is made of.
    pub beforehand: bool,
}

impl Consents {
    /// The command itself is the consent to this plan.
    pub const GIVEN: Consents =
        Consents { consent: Consent::Yes, allow_downtime: false, beforehand: false };
}

/// Asks for consent where it was not given on the command line.
///
/// `ask` puts the question and returns the line that was typed: `None` where there is no terminal
/// to ask on, an empty line at the end of input.
///
/// A plan that loses data takes the same ways as any other: the prompt and `--yes` are explicit,
/// and whoever confirms a digest was shown the plan that names the loss. Only a `--yes` before a look
/// leaves out what nobody could foresee.
pub fn approve(
    plan: Plan,
    consents: &Consents,
    question: &str,
    ask: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Approved, Blocked> {
    let digest = plan.digest();
    if let Consent::Confirm(confirmed) = &consents.consent
        && !confirmed.trim().eq_ignore_ascii_case(&digest)
    {
        let why = format!("the plan is {digest} now, not the confirmed {}", confirmed.trim());
        return Err(blocked(
            BlockedReason::Stale,
            why,
            &["look again: the same command without --apply"],
        ));
    }
    if plan.impact.stops_serving && !consents.allow_downtime {
        let why = format!(
            "no other replica serves while this plan restarts {}",
            plan.impact.restarts.join(", ")
        );
        return Err(blocked(BlockedReason::NeedsConsent, why, &["--allow-downtime"]));
    }
    let beyond = match consents.consent {
        Consent::Yes if consents.beforehand => plan.impact.beyond.first(),
        Consent::Ask | Consent::Yes | Consent::Confirm(_) => None,
    };
    match (&consents.consent, beyond) {
        (Consent::Yes, None) | (Consent::Confirm(_), _) => Ok(Approved(plan)),
        (Consent::Yes, Some(_)) | (Consent::Ask, _) => match ask(question) {
            None => {
                let confirm = format!("--confirm {digest}");
                let (why, ways) = match beyond {
                    Some(beyond) => (
                        format!("a --yes before the look does not cover that {beyond}"),
                        &[&*confirm][..],
                    ),
                    None => {
                        ("there is no terminal to ask on".to_owned(), &[&*confirm, "--yes"][..])
                    }
                };
                Err(blocked(BlockedReason::NeedsConsent, why, ways))
            }
            Some(answer) if is_yes(&answer) => Ok(Approved(plan)),
            Some(_) => {
                let why = "the answer was not yes".to_owned();
                Err(blocked(BlockedReason::Declined, why, &[]))
            }
        },
    }
}

fn is_yes(answer: &str) -> bool {
    let answer = answer.trim();
    answer.eq_ignore_ascii_case("y") || answer.eq_ignore_ascii_case("yes")
}

fn blocked(reason: BlockedReason, why: String, ways: &[&str]) -> Blocked {
    Blocked { reason, why, ways: ways.iter().map(|way| (*way).to_owned()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::tests::plans;

    fn asked(plan: Plan, consent: Consent, answer: Option<&str>) -> Result<(), BlockedReason> {
        let consents = Consents { consent, allow_downtime: false, beforehand: false };
        let mut ask = |_: &str| answer.map(str::to_owned);
        approve(plan, &consents, "?", &mut ask).map(drop).map_err(|blocked| blocked.reason)
    }

    #[test]
    fn only_yes_is_yes() {
        for (answer, got) in [
            (Some("y\n"), Ok(())),
            (Some("YES"), Ok(())),
            (Some("yess"), Err(BlockedReason::Declined)),
            (Some("n"), Err(BlockedReason::Declined)),
            (Some(""), Err(BlockedReason::Declined)),
            (None, Err(BlockedReason::NeedsConsent)),
        ] {
            assert_eq!(asked(plans::memory(), Consent::Ask, answer), got, "{answer:?}");
        }
    }

    #[test]
    fn a_digest_confirms_its_own_plan_only() {
        let plan = plans::memory();
        let digest = plan.digest();
        assert_eq!(asked(plan.clone(), Consent::Confirm(digest.to_uppercase()), None), Ok(()));
        let consents = Consents {
            consent: Consent::Confirm("000000000000".into()),
            allow_downtime: false,
            beforehand: false,
        };
        let blocked = approve(plan, &consents, "?", &mut |_| None).map(drop).expect_err("stale");
        assert_eq!(blocked.reason, BlockedReason::Stale);
        assert_eq!(
            blocked.why,
            format!("the plan is {digest} now, not the confirmed 000000000000")
        );
    }

    #[test]
    fn stopping_the_last_replica_needs_its_own_consent() {
        let mut plan = plans::memory();
        plan.impact.stops_serving = true;
        assert_eq!(asked(plan.clone(), Consent::Yes, None), Err(BlockedReason::NeedsConsent));
        let consents = Consents { consent: Consent::Yes, allow_downtime: true, beforehand: false };
        assert!(approve(plan, &consents, "?", &mut |_| None).is_ok());
    }

    #[test]
    fn yes_covers_a_loss_of_data_and_silence_does_not() {
        let mut plan = plans::memory();
        plan.impact.loses_data = true;
        assert_eq!(asked(plan.clone(), Consent::Yes, None), Ok(()));
        assert_eq!(asked(plan, Consent::Ask, None), Err(BlockedReason::NeedsConsent));
    }

    #[test]
    fn yes_before_a_look_covers_what_lies_within_and_no_more() {
        let ask = |consent: Consent, beyond: &[&str], answer: Option<&str>| {
            let mut plan = plans::memory();
            plan.impact.beyond = beyond.iter().map(|one| (*one).to_owned()).collect();
            let digest = plan.digest();
            let consent = match consent {
                Consent::Confirm(_) => Consent::Confirm(digest.clone()),
                other => other,
            };
            let consents = Consents { consent, allow_downtime: false, beforehand: true };
            let mut ask = |_: &str| answer.map(str::to_owned);
            let said = approve(plan, &consents, "?", &mut ask).map(drop);
            said.map_err(|blocked| (blocked.why, blocked.ways == [format!("--confirm {digest}")]))
        };
        assert_eq!(ask(Consent::Yes, &[], None), Ok(()));
        let why = "a --yes before the look does not cover that it sets aside a block";
        let block = &["it sets aside a block"];
        assert_eq!(ask(Consent::Yes, block, None), Err((why.to_owned(), true)));
        assert_eq!(ask(Consent::Yes, block, Some("y")), Ok(()));
        assert_eq!(ask(Consent::Confirm(String::new()), block, None), Ok(()));
    }
}
