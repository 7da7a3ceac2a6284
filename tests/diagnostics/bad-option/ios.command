build _tiny.yaml -t coreml --ios 15
