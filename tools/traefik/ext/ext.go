// Package ext is where Traefik's paid edition puts more fields; here there are none.
package ext

// HTTP holds none.
type HTTP struct{}

// Router holds none.
type Router struct{}
