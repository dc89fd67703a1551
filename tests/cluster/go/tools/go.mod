module prom-fix.test/cluster/tools

go 1.24.0
