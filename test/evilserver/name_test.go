package evilserver

var nameCases = []attack{}
