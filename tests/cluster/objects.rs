//! Manifests of one Prometheus in each way people install it, with `@WORDS@` to be filled in.

pub const PLAIN_CONFIG: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: {name: prom}
data:
  prometheus.yml: '{global: {scrape_interval: 3s}, scrape_configs: @JOBS@}'
  prom-0.yml: '{global: {scrape_interval: 3s}, scrape_configs: @BOTH@}'
  prom-1.yml: '{global: {scrape_interval: 3s}, scrape_configs: @JOBS@}'
---
apiVersion: v1
kind: Service
metadata: {name: prom}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {app: prom}
  ports: [{port: 9090}]
"#;

pub const POD: &str = r#"
  template:
    metadata: {labels: {app: prom}}
    spec:
      terminationGracePeriodSeconds: 10
      @OF_POD@
      securityContext: @SECURITY@
      containers:
      - name: prometheus
        image: quay.io/prometheus/prometheus:@IMAGE@
        args: ["--config.file=/etc/prometheus/@FILE@", --storage.tsdb.path=/prometheus@ARGUMENTS@]
        env: [{name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
        ports: [{containerPort: 9090}]
        resources: {limits: {memory: @LIMIT@}}
        readinessProbe: {httpGet: {path: /-/ready, port: 9090}, initialDelaySeconds: @DELAY@, periodSeconds: 1}
        @DRAIN@
        @OF_CONTAINER@
        volumeMounts: [{name: data, mountPath: /prometheus}, {name: config, mountPath: /etc/prometheus}]
      @SIDECAR@
      volumes:
      - name: config
        configMap: {name: prom}
"#;

pub const SET: &str = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: prom}
spec:
  replicas: @REPLICAS@
  serviceName: prom
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: prom}}
@POD@
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {@CLASS@accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"#;

pub const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: prom}
spec:
  replicas: @REPLICAS@
  strategy: {type: RollingUpdate}
  selector: {matchLabels: {app: prom}}
@POD@
      - name: data
        persistentVolumeClaim: {claimName: prom}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: prom}
spec: {@CLASS@accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"#;

pub const RESOURCE: &str = r#"
apiVersion: v1
kind: Secret
metadata: {name: jobs}
stringData: {jobs.yml: '@JOBS@'}
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: prom}
spec:
  replicas: @REPLICAS@
  version: @VERSION@
  image: quay.io/prometheus/prometheus:@IMAGE@
  serviceMonitorSelector: {}
  scrapeInterval: 3s
  scrapeTimeout: 3s
  terminationGracePeriodSeconds: 10
  additionalScrapeConfigs: {name: jobs, key: jobs.yml}
  securityContext: @SECURITY@
  resources: {limits: {memory: @LIMIT@}}
  @SIDECAR@
  @ARGUMENTS@
  storage:
    volumeClaimTemplate:
      spec: {@CLASS@resources: {requests: {storage: 1Gi}}}
"#;

pub const LOAD: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: @NAME@, labels: {load: @NAME@}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: load, image: "busybox:1", command: [probe, serve-metrics, "@SERIES@"]}
---
apiVersion: v1
kind: Service
metadata: {name: @NAME@}
spec:
  selector: {load: @NAME@}
  ports: [{port: 8080}]
"#;

/// A Service of its own, and somebody who asks `@URL@` five times a second.
pub const FRONT: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: front}
spec:
  selector: {@LABEL@}
  ports: [{port: 9090}]
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: client, image: "busybox:1", command: [probe, "@URL@", 200ms, "0"]}
"#;
