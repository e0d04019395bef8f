// Package sht4x reads Sensirion's SHT40, SHT41 and SHT45 (temperature and humidity).
//
// Nothing is kept, so nothing can be lost here.
package sht4x
