// Package power reads batteries, chargers and mains supplies from the Linux
// kernel's power_supply class.
//
//	power_supply: {device: BAT0}   # series voltage, current, charge_level ...
//	power_supply: {}               # all that are there at the start: bat0_voltage, ac_online ...
//
//	series                        unit  kind   file, and what it counts
//	voltage                       V     float  voltage_now, uV
//	current                       A     float  current_now, uA; its sign is the driver's
//	power                         W     float  power_now, uW
//	charge_level                  %EL   int    capacity, %
//	energy energy_full            Wh    float  energy_now, energy_full, uWh
//	charge charge_full            Ah    float  charge_now, charge_full, uAh
//	temperature                   Cel   float  temp, tenths
//	cycles                        count int    cycle_count
//	online present                      int    0 or 1 (online 2: a programmable supply)
//	status health                       text   Charging, Discharging, Not charging, Full, Unknown; Good, Overheat ...
//
// Wh, Ah and %EL are of RFC 8798 and RFC 8428: what is printed on a battery.
// What a supply does not have when the agent starts is not announced; what it has
// no more at some tick is a null reading, and the others of that tick stand
// (TestWhatIsGoneIsLeftOut). Of a supply that is not there at the start nothing
// can be announced, and each opening says what to do (TestSupplyThatComesLater).
//
// Names and units are proved by TestGolden on whole trees of files. Nothing is
// kept, so nothing can be lost here.
package power
