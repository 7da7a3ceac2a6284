convert tiny.pth --spec _tiny.yaml --to timm -o tiny.bin
