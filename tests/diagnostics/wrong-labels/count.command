build _tiny.yaml -t coreml --labels _labels.labels
