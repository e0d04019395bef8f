// Package ina219 reads Texas Instruments' INA219 (voltage, current and power).
//
// Nothing is kept, so nothing can be lost here.
package ina219
