build _tiny.yaml -o built
verify _relu.mlpackage --weights built/tiny.safetensors
