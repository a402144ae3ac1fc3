package evilserver
var fileCases = []attack{}
