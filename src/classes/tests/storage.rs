//! Last words about what is stored.

use super::lines::check;

#[rustfmt::skip]
const STORED: &[(&str, &str)] = &[
    ("wal/corrupt-checkpoint", r#"time=2026-11-22T17:48:55.482Z level=WARN source=db.go:1019 msg="Encountered WAL read error, attempting repair" component=tsdb err="backfill checkpoint: read records: corruption in segment /prometheus/wal/checkpoint.00000001/00000000 at 100062: unexpected checksum eb9197da, expected a876d77c"
time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: repair corrupted WAL: rename /prometheus/wal/00000000 /prometheus/wal/00000000.repair: no such file or directory""#),
    ("wal/corrupt-checkpoint", r#"ts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err="opening storage failed: repair corrupted WAL: rename /prometheus/wal/00000000 /prometheus/wal/00000000.repair: no such file or directory""#),
    ("wal/corrupt-checkpoint", r#"time=2026-11-22T17:48:55.482Z level=WARN source=db.go:1019 msg="Encountered WAL read error, attempting repair" component=tsdb err="backfill checkpoint: read records: corruption in segment /prometheus/wal/checkpoint.00000001/00000000 at 100062: unexpected checksum eb9197da, expected a876d77c""#),
    ("wal/corrupt-segment", r#"time=2026-11-22T17:47:26.115Z level=WARN source=db.go:1019 msg="Encountered WAL read error, attempting repair" component=tsdb err="read records: corruption in segment /prometheus/wal/00000002 at 101916: unexpected checksum c892206b, expected ea2ce02a""#),
    ("wal/corrupt-segment", r#"time=2026-11-22T17:47:26.115Z level=WARN source=db.go:1019 msg="Encountered WAL read error, attempting repair" component=tsdb err="read records: corruption in segment /prometheus/wal/00000002 at 132092: snappy: corrupt input""#),
    ("wal/corrupt-segment", r#"time=2026-11-22T17:47:26.115Z level=WARN source=db.go:1019 msg="Encountered WAL read error, attempting repair" component=tsdb err="read records: corruption in segment /prometheus/wal/00000619 at 525634: unexpected full record""#),
    ("wal/corrupt-segment", r#"level=error ts=2019-11-22T17:48:03.564Z caller=main.go:717 err="opening storage failed: read WAL: repair corrupted WAL: cannot handle error: invalid record type 255""#),
    ("wal/corrupt-segment", r#"ts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err="opening storage failed: repair corrupted WAL: cannot handle error: bad mmap overlap""#),
    ("wal/gap", r#"ts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err="opening storage failed: get segment range: segments are not sequential""#),
    ("wal/gap", r#"level=error ts=2019-11-22T17:48:03.564Z caller=main.go:717 err="opening storage failed: get segment range: segments are not sequential""#),
    ("wal/gap", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: get segment range: segments are not sequential""#),
    ("wal/gap", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Error running goroutines from run.Group" err="opening storage failed: get segment range: segments are not sequential""#),
    ("wal/gap", r#"{"caller":"main.go:1127","err":"opening storage failed: get segment range: segments are not sequential","level":"error","ts":"2026-11-22T18:38:49.103Z"}"#),
    ("wal/gap", r#"{"time":"2026-11-22T18:38:49.143645547Z","level":"ERROR","source":"main.go:1373","msg":"Fatal error","err":"opening storage failed: get segment range: segments are not sequential"}"#),
    ("wal/gap", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="creating WAL: get segment range: segments are not sequential""#),
    ("wal/gap", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: repair corrupted WAL: cannot handle error: open WAL segment: 2: open /prometheus/wal/00000002: no such file or directory""#),
    ("wal/gap", r#"level=error ts=2019-11-22T17:48:03.564Z caller=main.go:717 err="opening storage failed: create checkpoint: unexpected gap to last checkpoint. expected:5, requested:9""#),
    ("wal/checkpoint-lost", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: repair corrupted WAL: cannot handle error: open WAL segment: 0: open /prometheus/wal/00000000: no such file or directory""#),
    ("wal/corrupt-wbl", r#"time=2026-11-22T17:16:05.672Z level=WARN source=db.go:1013 msg="Encountered WBL read error, attempting repair" component=tsdb err="read records: corruption in segment /prometheus/wbl/00000001 at 40752: unexpected checksum e9e64247, expected de386698""#),
    ("wal/corrupt-wbl", r#"ts=2026-11-22T17:15:52.452Z caller=db.go:825 level=warn component=tsdb msg="Encountered WAL read error, attempting repair" err="read records: corruption in segment /prometheus/wbl/00000001 at 40748: unexpected checksum a2331021, expected bd3e8c74""#),
    ("wal/corrupt-head-chunks", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: /prometheus/chunks_head/000002: invalid magic number fecf436e""#),
    ("wal/corrupt-head-chunks", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: found unsequential head chunk files /prometheus/chunks_head/000001 (index: 1) and /prometheus/chunks_head/000003 (index: 3)""#),
    ("wal/corrupt-head-chunks", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: mmap files, file: /prometheus/chunks_head/000002: mmap, size 0: invalid argument""#),
    ("wal/corrupt-head-chunks", r#"panic: corruption in head chunk file /var/prometheus/chunks_head/000001: checksum mismatch expected:00000000, actual:d096d996"#),
    ("wal/corrupt-block", r#"ts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err="opening storage failed: reloadBlocks: corrupted block 01M827CT0DKCN5KG2K87TH0H4J: invalid magic number 455528ff""#),
    ("wal/corrupt-block", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: invalid magic number 455528ff""#),
    ("wal/corrupt-block", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: read TOC: read TOC: invalid checksum""#),
    ("wal/corrupt-block", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: mmap, size 0: invalid argument""#),
    ("wal/corrupt-block", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: try lock file: open /prometheus/01M827CT0DKCN5KG2K87TH0H4J/index: no such file or directory""#),
    ("wal/corrupt-block", r#"time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: open /prometheus/01M827CT0DKCN5KG2K87TH0H4J/chunks: no such file or directory""#),
    ("wal/corrupt-block", r#"level=error ts=x caller=main.go:580 err="Opening storage failed unexpected end of JSON input""#),
    ("wal/overlapping-blocks", r#"ts=2026-11-22T17:48:03.564Z caller=main.go:1127 level=error err="opening storage failed: reloadBlocks: invalid block sequence: block time ranges overlap: [mint: 1, maxt: 2]""#),
    ("wal/locked", r#"time=2026-11-22T18:01:51.983Z level=WARN source=dir_locker.go:76 msg="A lockfile from a previous execution already existed. It was replaced" component=tsdb file=/prometheus/lock
time=2026-11-22T17:48:03.564Z level=ERROR source=main.go:1373 msg="Fatal error" err="opening storage failed: lock DB directory: resource temporarily unavailable""#),
];

#[test]
fn damage_is_called_by_what_is_damaged() {
    check(STORED);
}
