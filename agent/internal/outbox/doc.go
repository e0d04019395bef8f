// Package outbox keeps accepted readings until the gateway says that they have landed.
package outbox
