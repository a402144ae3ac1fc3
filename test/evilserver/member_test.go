package evilserver
var memberCases = []attack{}
