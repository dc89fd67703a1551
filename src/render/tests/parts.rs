//! The small parts: untrusted text, times, quoting, YAML, diffs, `explain`, receipts.

use proptest::prelude::*;

use super::report::left_behind;
use super::*;
use crate::model::CodeDoc;
use crate::model::code::Stage;
use crate::model::receipt::{Freed, Progress, Receipt, State as ReceiptState, StepState};
use crate::render::{ago, clean, explain, receipt, receipts, shell_quote, unified_diff, yaml};

#[test]
fn text_of_others_is_made_harmless() {
    for (from, to) in [
        ("plain é 日本", "plain é 日本"),
        ("a\nb\tc\r\nd\re", "a b c d e"),
        ("\u{1b}[31;1mred\u{1b}[0m", "red"),
        ("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{1b}\\", "link"),
        ("\u{1b}]0;no end", "0;no end"),
        ("\u{9b}2Jx\u{1b}", "x"),
        ("\u{1b}cx", "x"),
        ("a\u{202e}b\u{2066}c\u{200b}", "abc"),
        ("bell\u{7}nul\0del\u{7f}", "bell\u{fffd}nul\u{fffd}del\u{fffd}"),
    ] {
        assert_eq!(clean(from), to, "{from:?}");
    }
}

#[test]
fn ages_read_as_people_say_them() {
    for (then, want) in [
        ("2026-11-24T01:05:20Z", "just now"),
        ("2026-11-24T01:05:00Z", "20 s ago"),
        ("2026-11-24T01:02:11Z", "3 min ago"),
        ("2026-11-23T20:05:20Z", "5 h ago"),
        ("2026-11-20T01:05:20Z", "4 days ago"),
        ("2026-11-24T01:08:20Z", "in 3 min"),
    ] {
        assert_eq!(ago(then.parse().unwrap(), at()), want);
    }
}

#[test]
fn words_are_quoted_for_a_posix_shell() {
    let quoted = |word: &str| shell_quote(&[word.to_owned()]);
    assert_eq!(quoted("--memory=4Gi,4Gi"), "--memory=4Gi,4Gi");
    assert_eq!(quoted(""), "''");
    assert_eq!(quoted("it's $HOME `x`"), "'it'\\''s $HOME `x`'");
    assert_eq!(quoted("~/x"), "'~/x'");
    assert_eq!(quoted("\u{1b}"), "''\"$(printf '\\033')\"''");
}

proptest! {
    #[cfg(unix)]
    #[test]
    fn a_shell_reads_back_what_was_quoted(words in prop::collection::vec("[^\0]*", 1..4)) {
        let script = format!("printf '%s\\0' {}", shell_quote(&words));
        let done = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        let read = String::from_utf8(done.stdout).unwrap();
        let read: Vec<&str> = read.trim_end_matches('\0').split('\0').collect();
        let want = words.join("\0");
        prop_assert_eq!(read.join("\0"), want.trim_end_matches('\0'));
    }

    #[test]
    fn yaml_reads_back_as_the_same_value(value in any_value()) {
        let text = yaml(&value);
        let back: Value = serde_saphyr::from_str(&text).unwrap();
        prop_assert_eq!(back, value, "{}", text);
    }

    #[test]
    fn nothing_a_terminal_obeys_is_left(text in any::<String>()) {
        let text = clean(&text);
        prop_assert!(text.chars().all(|c| !c.is_control()));
        prop_assert_eq!(clean(&text), text);
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let words = prop::sample::select(vec![
        "1Gi",
        "1e3",
        "true",
        "null",
        "~",
        "no",
        "0x1f",
        "1_000",
        "12:30",
        "- a",
        "a: b",
        "#c",
        " a",
        "a ",
        "a\nb\n",
        "a\n  b",
        "\n",
        "---",
        "<<",
        "",
        "2024-01-01",
        "*a",
        "&a",
        "!a",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        words.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn a_diff_shows_what_a_change_does() {
    let before = json!({"spec": {"memory": "2Gi", "replicas": 2}});
    let after = json!({"spec": {"memory": "4Gi", "replicas": 2}});
    assert_eq!(
        unified_diff(&before, &after, "prometheus/k8s"),
        "\
--- prometheus/k8s (live)
+++ prometheus/k8s (with the plan)
@@ -1,3 +1,3 @@
 spec:
-  memory: 2Gi
+  memory: 4Gi
   replicas: 2
"
    );
    assert_eq!(unified_diff(&before, &before, "x"), "");
}

#[test]
fn a_code_is_explained() {
    let doc = CodeDoc {
        code: LIMIT,
        stage: Stage::Serving,
        meaning: "it needs more memory than its limit",
        proof: "OOMKilled at the limit",
        plan: "a limit that holds what was counted, with room for a replay and for queries",
        risk: "a restart of each replica",
    };
    assert_eq!(
        explain(&doc),
        "\
oom/limit-below-need
 Meaning   it needs more memory than its limit
 Strikes   while it serves
 Proof     OOMKilled at the limit
 Plan      a limit that holds what was counted, with room for a replay and for
           queries
 Risk      a restart of each replica
"
    );
}

#[test]
fn receipts_are_a_table_and_one_is_a_timeline() {
    let one = left_behind();
    let digest = &one.digest;
    assert_eq!(
        receipts(std::slice::from_ref(&one), at()),
        format!(
            "\
RECEIPT                NAMESPACE   TARGET          STATE       BY   ASIDE  BEGAN
prom-fix-{digest}  monitoring  prometheus/k8s  unfinished  bob  -      5 min ago
"
        )
    );
    let text = receipt(&one, at());
    assert!(text.starts_with(&format!("prom-fix-{digest}   unfinished\n Plan ")), "{text}");
    assert!(
        text.contains(
            " 2 failed     01:02:20Z  delete  pod/prometheus-k8s-0, the broken one\n                         no answer\n"
        ),
        "{text}"
    );
    assert!(text.contains(" 3 not tried  -          wait    pod/prometheus-k8s-0"), "{text}");
    let mut undone = one.clone();
    undone.undone = vec![Progress { state: StepState::Did, step: Some(1), ..Progress::default() }];
    let text = receipt(&undone, at());
    let want = "\nPut back, newest last:\n 1 did        -          step 1, patch prometheus/k8s\n";
    assert!(text.ends_with(want), "{text}");
    assert_eq!(receipts(&[], at()), "no receipts\n");
}

#[test]
fn old_files_are_told_as_long_as_they_are_there() {
    let mut one = left_behind();
    one.state = ReceiptState::Applied;
    one.steps[0].said = Some(serde_json::json!({
        "outcome": "salvaged", "aside": "prom-fix-20261124T010000Z", "asideBytes": 3 << 20,
    }));
    let told = |one: &Receipt| {
        let table = receipts(std::slice::from_ref(one), at());
        (table.contains("3Mi"), table.contains("freed"), receipt(one, at()))
    };
    let (there, freed, text) = told(&one);
    assert!(
        there && !freed && text.contains("Aside     3Mi in prom-fix-20261124T010000Z/"),
        "{text}"
    );
    assert!(text.contains(&format!("kubectl prom-fix cleanup {}", one.digest)), "{text}");
    one.freed = Some(Freed { by: "0123".into(), at: "2026-11-24T02:00:00Z".into(), whole: true });
    let (there, freed, text) = told(&one);
    assert!(!there && freed && text.contains("Aside     3Mi freed by 0123 at 2026"), "{text}");
    one.freed = Some(Freed { whole: false, ..one.freed.clone().expect("it is") });
    let (there, freed, text) = told(&one);
    assert!(there && !freed && text.contains("freed in part by 0123"), "{text}");
    one.freed = None;
    one.state = ReceiptState::Undone;
    let (there, freed, text) = told(&one);
    assert!(!there && !freed && !text.contains("Aside"), "{text}");
}
