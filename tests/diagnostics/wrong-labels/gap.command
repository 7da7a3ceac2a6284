build _tiny.yaml -t coreml --labels _gap.labels
