// Package ds18b20 reads Maxim's DS18B20 thermometers on a 1-wire bus.
//
// Nothing is kept, so nothing can be lost here.
package ds18b20
