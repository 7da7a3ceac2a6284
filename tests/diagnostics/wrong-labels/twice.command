build _tiny.yaml -t coreml --labels _twice.labels
