build _tiny.yaml -o three -t weights
build _tiny.yaml --set head.classes=5 --weights three/tiny.safetensors
