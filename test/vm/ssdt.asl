// Copyright The hostscope Authors
// SPDX-License-Identifier: Apache-2.0

// Two batteries, an AC adapter, a thermal zone and a power meter, as a machine's
// firmware has them (ACPI 6.5, chapters 10 and 11). guest_test.go knows the
// numbers.
DefinitionBlock ("", "SSDT", 2, "HSCOPE", "SENSORS", 0x00000001)
{
    Scope (\_SB)
    {
        Device (BAT0) // counts energy, in mWh and mW
        {
            Name (_HID, EisaId ("PNP0C0A"))
            Name (_UID, Zero)
            Method (_STA) { Return (0x1F) }
            Name (INFO, Package ()
            {
                Zero, Zero, 50000, 45000, One, 11100, 4500, 2250, 123, 95000,
                0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, One, One,
                "HS-ENERGY", "0001", "LION", "hostscope"
            })
            Method (_BIX) { Return (INFO) } // iasl takes no such Name
            Name (_BST, Package () { One, 12000, 30000, 11800 }) // discharging
        }
        Device (BAT1) // counts charge, in mAh and mA
        {
            Name (_HID, EisaId ("PNP0C0A"))
            Name (_UID, One)
            Method (_STA) { Return (0x1F) }
            Name (_BIF, Package ()
            {
                One, 4000, 3500, One, 7600, 350, 175, One, One,
                "HS-CHARGE", "0002", "LiP", "hostscope"
            })
            Name (_BST, Package () { 2, 1000, 2000, 7700 }) // charging
        }
        Device (ACAD)
        {
            Name (_HID, "ACPI0003")
            Name (_PCL, Package () { \_SB })
            Method (_PSR) { Return (One) }
        }
        Device (PMTR)
        {
            Name (_HID, "ACPI000D")
            Name (_PMC, Package ()
            {
                One, Zero, One, 95000, 1000, 1000, 1000, 0xFFFFFFFF, Zero, Zero, Zero,
                "HS-METER", "0003", "hostscope"
            })
            Method (_PMM) { Return (262000) }
            Name (_PMD, Package () { \_SB })
            Method (_GAI) { Return (1000) }
        }
    }
    ThermalZone (\_TZ.TZHS)
    {
        Method (_TMP) { Return (3232) } // tenths of a kelvin
        Method (_CRT) { Return (3732) }
    }
}
