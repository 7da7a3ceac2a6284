build _tiny.yaml -t coreml --image --set input.channels=1
