build _tiny.yaml -o built
verify _relu.mlpackage --spec _tiny.yaml --weights built/tiny.safetensors
