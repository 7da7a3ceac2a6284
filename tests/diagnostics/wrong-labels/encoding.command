build _tiny.yaml -t coreml --labels _latin.labels
