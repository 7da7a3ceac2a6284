generate _tiny.yaml -o nope/tiny.py
