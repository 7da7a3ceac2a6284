latency measure _tiny.yaml -o new.yaml --runtime onnxruntime --precision fp16
