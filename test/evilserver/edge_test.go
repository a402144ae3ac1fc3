package evilserver

var edgeCases = []attack{}
