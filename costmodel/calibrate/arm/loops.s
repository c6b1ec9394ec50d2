// The inner loops of kernels.c as clang 19 makes them, each behind its name and the core it was scheduled for.

//// bgemm_4x2 cortex-a53
loop:
	ldp	q16, q19, [x1], #32
	subs	x2, x2, #1
	ldp	q17, q18, [x0]
	ldp	q21, q23, [x0, #32]
	add	x0, x0, #64
	eor	v20.16b, v16.16b, v17.16b
	eor	v17.16b, v19.16b, v17.16b
	eor	v22.16b, v16.16b, v18.16b
	eor	v18.16b, v19.16b, v18.16b
	eor	v24.16b, v16.16b, v21.16b
	eor	v21.16b, v19.16b, v21.16b
	cnt	v20.16b, v20.16b
	eor	v16.16b, v16.16b, v23.16b
	eor	v19.16b, v19.16b, v23.16b
	cnt	v17.16b, v17.16b
	cnt	v18.16b, v18.16b
	cnt	v21.16b, v21.16b
	uadalp	v7.8h, v20.16b
	cnt	v20.16b, v22.16b
	cnt	v22.16b, v24.16b
	cnt	v16.16b, v16.16b
	uadalp	v0.8h, v17.16b
	cnt	v17.16b, v19.16b
	uadalp	v2.8h, v18.16b
	uadalp	v1.8h, v20.16b
	uadalp	v3.8h, v22.16b
	uadalp	v4.8h, v21.16b
	uadalp	v5.8h, v16.16b
	uadalp	v6.8h, v17.16b
	b.ne	loop

//// sgemm_8x4 cortex-a53
loop:
	ldr	q16, [x1], #16
	ldp	q17, q18, [x0], #32
	subs	x2, x2, #1
	fmla	v7.4s, v16.4s, v17.s[0]
	fmla	v6.4s, v16.4s, v17.s[1]
	fmla	v5.4s, v16.4s, v17.s[2]
	fmla	v4.4s, v16.4s, v17.s[3]
	fmla	v3.4s, v16.4s, v18.s[0]
	fmla	v2.4s, v16.4s, v18.s[1]
	fmla	v1.4s, v16.4s, v18.s[2]
	fmla	v0.4s, v16.4s, v18.s[3]
	b.ne	loop

//// i8gemm_4x2 cortex-a53
loop:
	ldp	q16, q19, [x0]
	subs	x2, x2, #1
	ldp	q17, q18, [x1], #32
	ldp	q21, q23, [x0, #32]
	add	x0, x0, #64
	smull	v20.8h, v16.8b, v17.8b
	smull	v22.8h, v16.8b, v18.8b
	smull	v24.8h, v19.8b, v17.8b
	smull	v25.8h, v19.8b, v18.8b
	smull	v26.8h, v21.8b, v17.8b
	smull	v27.8h, v21.8b, v18.8b
	smull	v28.8h, v23.8b, v17.8b
	smlal2	v20.8h, v16.16b, v17.16b
	smlal2	v22.8h, v16.16b, v18.16b
	smull	v16.8h, v23.8b, v18.8b
	smlal2	v24.8h, v19.16b, v17.16b
	smlal2	v25.8h, v19.16b, v18.16b
	smlal2	v26.8h, v21.16b, v17.16b
	smlal2	v27.8h, v21.16b, v18.16b
	smlal2	v28.8h, v23.16b, v17.16b
	smlal2	v16.8h, v23.16b, v18.16b
	sadalp	v7.4s, v20.8h
	sadalp	v0.4s, v22.8h
	sadalp	v1.4s, v24.8h
	sadalp	v2.4s, v25.8h
	sadalp	v3.4s, v26.8h
	sadalp	v4.4s, v27.8h
	sadalp	v5.4s, v28.8h
	sadalp	v6.4s, v16.8h
	b.ne	loop

//// sdot_4x2 cortex-a53
loop:
	ldp	q16, q19, [x0]
	subs	x2, x2, #1
	ldp	q17, q18, [x1], #32
	sdot	v7.4s, v16.16b, v17.16b
	sdot	v0.4s, v16.16b, v18.16b
	ldp	q20, q16, [x0, #32]
	sdot	v1.4s, v19.16b, v17.16b
	add	x0, x0, #64
	sdot	v2.4s, v19.16b, v18.16b
	sdot	v3.4s, v20.16b, v17.16b
	sdot	v4.4s, v20.16b, v18.16b
	sdot	v5.4s, v16.16b, v17.16b
	sdot	v6.4s, v16.16b, v18.16b
	b.ne	loop

//// bdot_32 cortex-m4
loop:
	ldr	r5, [r3, #4]!
	ldr	r6, [r1, #4]!
	subs	r2, #1
	eor.w	r5, r5, r6
	and.w	r6, r12, r5, lsr #1
	sub.w	r5, r5, r6
	and.w	r6, lr, r5, lsr #2
	bic	r5, r5, #-858993460
	add	r5, r6
	add.w	r5, r5, r5, lsr #4
	bic	r5, r5, #-252645136
	mul	r5, r4, r5
	add.w	r0, r0, r5, lsr #24
	bne	loop

//// bdot_32 cortex-m7
loop:
	ldr	r6, [r1, #4]!
	ldr	r4, [r3, #4]!
	add.w	r2, r2, r2, lsr #4
	eors	r4, r6
	bic	r2, r2, #-252645136
	and.w	r6, lr, r4, lsr #1
	mul	r2, r2, r12
	subs	r4, r4, r6
	bic	r6, r4, #-858993460
	and.w	r4, r10, r4, lsr #2
	subs	r5, #1
	add.w	r0, r0, r2, lsr #24
	add.w	r2, r6, r4
	bne	loop
